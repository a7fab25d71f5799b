# Included by every project() of a message package that is built against the ROS 2 wheels
# (CMAKE_PROJECT_INCLUDE). The wheels' imported targets carry include folders of the machine
# that built the wheels, which exist nowhere else; CMake refuses such targets.
function(drop_foreign_include_dirs)
  get_directory_property(targets IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(dirs ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(dirs)
      list(FILTER dirs EXCLUDE REGEX "^/opt/python/")
      set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${dirs}")
    endif()
  endforeach()
endfunction()
cmake_language(DEFER CALL drop_foreign_include_dirs)
