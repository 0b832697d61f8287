# Header, libraries, program, man page, backprop.pc and the CMake package backprop::backprop.
install(FILES include/backprop.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS backprop_shared backprop_static EXPORT backprop_targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET backprop_program)
  install(TARGETS backprop_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES docs/backprop.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()

# Installed files find each other relatively, so `cmake --install --prefix DIR` and a moved folder both work; only a
# library folder outside the prefix is written as it is.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(bp_pc_prefix ${CMAKE_INSTALL_PREFIX})
  set(bp_pc_libdir ${CMAKE_INSTALL_LIBDIR})
else()
  file(RELATIVE_PATH up /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  string(REGEX REPLACE "/$" "" up "${up}")
  set(bp_pc_prefix "\${pcfiledir}/${up}")
  set(bp_pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
list(TRANSFORM bp_library_names PREPEND "-l" OUTPUT_VARIABLE bp_pc_private)
list(JOIN bp_pc_private " " bp_pc_private)
configure_file(cmake/backprop.pc.in backprop.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/backprop.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(bp_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/backprop)
install(EXPORT backprop_targets NAMESPACE backprop:: DESTINATION ${bp_package_dir} FILE backprop-targets.cmake)
configure_package_config_file(cmake/backprop-config.cmake.in ${PROJECT_BINARY_DIR}/backprop-config.cmake
                              INSTALL_DESTINATION ${bp_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/backprop-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/backprop-config.cmake ${PROJECT_BINARY_DIR}/backprop-config-version.cmake
        DESTINATION ${bp_package_dir})
