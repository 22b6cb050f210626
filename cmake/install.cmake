include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/xgrad)

install(TARGETS xgrad_autograd xgrad_nn xgrad_tables EXPORT xgradTargets)
install(DIRECTORY autograd nn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/xgrad FILES_MATCHING PATTERN "*.hpp")
install(EXPORT xgradTargets NAMESPACE xgrad:: DESTINATION ${package_dir})

configure_package_config_file(cmake/xgradConfig.cmake.in xgradConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(xgradConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(
  FILES ${CMAKE_CURRENT_BINARY_DIR}/xgradConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/xgradConfigVersion.cmake
  DESTINATION ${package_dir})
