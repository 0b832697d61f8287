# Libraries of the distribution. WITH_X=auto takes what pkg-config finds, yes fails where it is absent, no goes without.
find_package(PkgConfig REQUIRED)
set(bp_missing)             # Debian packages whose absence keeps the program from being built
set(bp_library_targets)     # to link with here
set(bp_library_names)       # to link with where we are installed statically (order: users before the used)
set(bp_library_definitions) # BP_HAVE_X

# bp_find_library(ZLIB zlib z zlib1g-dev "gzip and .npz files"): name, pkg-config module, -l name, Debian package, what for
macro(bp_find_library name module link package purpose)
  set(WITH_${name} auto CACHE STRING "${purpose}: auto, yes or no")
  if(NOT WITH_${name} MATCHES "^(auto|yes|no)$")
    message(FATAL_ERROR "WITH_${name}=${WITH_${name}}: must be auto, yes or no.")
  endif()
  set(BP_${name}_FOUND FALSE)
  if(NOT WITH_${name} STREQUAL "no")
    pkg_check_modules(BP_${name} QUIET IMPORTED_TARGET ${module})
    if(NOT BP_${name}_FOUND AND WITH_${name} STREQUAL "yes")
      message(FATAL_ERROR "${module} is not found (needed for ${purpose}). On Debian: apt-get install ${package}")
    endif()
  endif()
  if(BP_${name}_FOUND)
    message(STATUS "${module} ${BP_${name}_VERSION}: ${purpose}")
    list(APPEND bp_library_targets PkgConfig::BP_${name})
    list(APPEND bp_library_names ${link})
    list(APPEND bp_library_definitions BP_HAVE_${name}=1)
  else()
    message(STATUS "${module}: absent, no ${purpose}")
    list(APPEND bp_missing ${package})
  endif()
endmacro()
