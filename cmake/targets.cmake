# How every target of ours is compiled; CALLS: one whose work is done by the libraries, so that it is to compile fast.
function(xgrad_own_target target)
  set(release -O3)
  set(debug -Og)
  if("CALLS" IN_LIST ARGN)
    set(release -Og)
    set(debug -O0)
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)  # but for xgrad_rooms_as_units
  target_compile_features(${target} PRIVATE cxx_std_20)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow $<$<BOOL:${XGRAD_WERROR}>:-Werror>
    # A tenth of g++'s time: it looks for garbage only once there are 600 MB.
    $<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=600000>
    $<$<CONFIG:Release,RelWithDebInfo>:${release}> $<$<CONFIG:Debug>:${debug}>)
endfunction()

# With CMAKE_UNITY_BUILD, as the presets have it for all builds but those for debugging, the sources of a room are compiled
# as one, so that what they include is read once: half of the time. Names in a room's files are therefore unique.
# Sources with options of their own are not among these.
function(xgrad_rooms_as_units target)
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${PROJECT_SOURCE_DIR})
    cmake_path(GET source PARENT_PATH room)
    file(RELATIVE_PATH room ${PROJECT_SOURCE_DIR} ${room})
    string(REPLACE "/" "_" unit "${room}")
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP "${unit}")
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD "${CMAKE_UNITY_BUILD}" UNITY_BUILD_MODE GROUP)
endfunction()

# A library xgrad_<component>, known to users as xgrad::<component>: xgrad_library(component [CALLS] SOURCE...).
function(xgrad_library component)
  set(target xgrad_${component})
  set(sources ${ARGN})
  list(REMOVE_ITEM sources CALLS)
  add_library(${target} ${sources})
  add_library(xgrad::${component} ALIAS ${target})
  xgrad_own_target(${target} ${ARGN})
  if(NOT "CALLS" IN_LIST ARGN)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release,RelWithDebInfo>:-O2>)
  endif()
  xgrad_rooms_as_units(${target})
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${component} VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/xgrad>)
  if(BUILD_SHARED_LIBS)
    # The default model of -fPIC calls a function for each access to a thread's current tape.
    target_compile_options(${target} PRIVATE -ftls-model=initial-exec)
  endif()
endfunction()
