# The playground: a page in the browser. Its engine, which tests use, needs nothing else; the program needs cpp-httplib.
file(GLOB playground_sources CONFIGURE_DEPENDS examples/playground/*.cpp)
list(FILTER playground_sources EXCLUDE REGEX "/server\\.cpp$")

add_library(xgrad_playground STATIC ${playground_sources})
xgrad_own_target(xgrad_playground CALLS)
xgrad_rooms_as_units(xgrad_playground)
target_link_libraries(xgrad_playground PUBLIC xgrad_examples nlohmann_json::nlohmann_json)

find_package(PkgConfig)
if(PKG_CONFIG_FOUND)
  pkg_check_modules(cpp_httplib IMPORTED_TARGET cpp-httplib)
endif()
if(cpp_httplib_FOUND AND XGRAD_BUILD_EXAMPLES)
  # The page's files as byte arrays: the program serves them without looking for them.
  set(page_files page.html page.css page.js)
  list(JOIN page_files "," page_names)
  set(page_source ${PROJECT_BINARY_DIR}/examples/playground_page.cpp)
  list(TRANSFORM page_files PREPEND ${PROJECT_SOURCE_DIR}/examples/playground/ OUTPUT_VARIABLE page_paths)
  add_custom_command(
    OUTPUT ${page_source}
    COMMAND ${CMAKE_COMMAND} -D OUTPUT=${page_source} -D FOLDER=${PROJECT_SOURCE_DIR}/examples/playground
            -D FILES=${page_names} -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${page_paths} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    VERBATIM)
  add_executable(playground examples/playground.cpp examples/playground/server.cpp ${page_source})
  xgrad_own_target(playground CALLS)
  target_include_directories(playground PRIVATE ${PROJECT_SOURCE_DIR}/examples/playground)
  target_link_libraries(playground PRIVATE xgrad_playground PkgConfig::cpp_httplib)
  set_target_properties(playground PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/examples)
endif()
