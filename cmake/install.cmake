include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/xgrad)

set(installed xgrad_autograd xgrad_nn xgrad_tables)
if(XGRAD_BUILD_EXCHANGE)
  list(APPEND installed xgrad_exchange)
endif()
if(TARGET xgrad_distributed)
  list(APPEND installed xgrad_distributed)
endif()
install(TARGETS ${installed} EXPORT xgradTargets)
install(DIRECTORY autograd nn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/xgrad FILES_MATCHING PATTERN "*.hpp" PATTERN "*_proto.hpp" EXCLUDE)
install(EXPORT xgradTargets NAMESPACE xgrad:: DESTINATION ${package_dir})

configure_package_config_file(cmake/xgradConfig.cmake.in xgradConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(xgradConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(
  FILES ${CMAKE_CURRENT_BINARY_DIR}/xgradConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/xgradConfigVersion.cmake
  DESTINATION ${package_dir})
