# One static library per folder. What a library may link is the order of the folders; tests/include_rules checks the includes.
#
# entune_library(NAME [DEPENDS lib...]): all *.cpp of the calling folder (RECURSE: of its subfolders too).
# entune_torch_library(NAME ...): the same for folders that see libtorch.
#
# By file: X_absent.cpp stands in for X.cpp in a build without CUDA. *.cu are compiled by nvcc, where there is one, and know pointers and
# streams alone: no header of libtorch has to pass nvcc, which takes C++17 here whatever the CMake is.
#
# What nearly every file includes is precompiled, once for the folders that see libtorch and once for the others. No more than that belongs
# in: GCC instantiates a precompiled header's templates again in every file (json.hpp 0.5 s a file, torch's custom_function.h 0.8 s, CLI11 5 s).
#
# entune_precompiled(NAME LINK lib... HEADERS <header>...): the library that owns such a header.
function(entune_precompiled name)
  cmake_parse_arguments(arg "" "" "LINK;HEADERS" ${ARGN})
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/${name}.cpp CONTENT "")
  add_library(${name} STATIC ${CMAKE_BINARY_DIR}/${name}.cpp)
  target_link_libraries(${name} PUBLIC ${arg_LINK})
  target_compile_options(${name} PRIVATE -Wall -Wextra -Werror)
  target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
endfunction()
set(ENTUNE_PRECOMPILED <algorithm> <filesystem> <functional> <map> <memory> <string> <vector> <fmt/format.h>)
entune_precompiled(text_precompiled LINK fmt::fmt HEADERS ${ENTUNE_PRECOMPILED})
entune_precompiled(torch_precompiled LINK LibTorch::LibTorch fmt::fmt HEADERS <ATen/ATen.h> ${ENTUNE_PRECOMPILED})

# The *.cu of the calling folder, as objects of the library NAME.
function(entune_cuda_objects name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cu)
  foreach(source ${sources})
    get_filename_component(stem ${source} NAME)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${stem}.o)
    add_custom_command(OUTPUT ${object}
      COMMAND ${ENTUNE_NVCC} -std=c++17 -O3 ${ENTUNE_CUDA_CODE} -ccbin ${CMAKE_CXX_COMPILER} -Xcompiler=-fPIC,-Wall,-Wextra
              -Werror=all-warnings -I ${CMAKE_SOURCE_DIR} -MD -MF ${object}.d -c ${source} -o ${object}
      DEPENDS ${source} DEPFILE ${object}.d COMMENT "nvcc ${stem}" VERBATIM)
    set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
    target_sources(${name} PRIVATE ${object})
  endforeach()
endfunction()

function(add_entune_library name precompiled)
  cmake_parse_arguments(arg "RECURSE" "" "DEPENDS" ${ARGN})
  if(arg_RECURSE)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  else()
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  endif()
  foreach(absent ${sources})
    if(absent MATCHES "^(.*)_absent\\.cpp$")
      set(present ${CMAKE_MATCH_1}.cpp)
      if(ENTUNE_WITH_CUDA)
        list(REMOVE_ITEM sources ${absent})
      else()
        list(REMOVE_ITEM sources ${present})
      endif()
    endif()
  endforeach()
  add_library(${name} STATIC ${sources})
  if(ENTUNE_WITH_CUDA)
    entune_cuda_objects(${name})
  endif()
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_options(${name} PRIVATE -Wall -Wextra -Werror)
  target_link_libraries(${name} PUBLIC ${arg_DEPENDS})
  target_precompile_headers(${name} REUSE_FROM ${precompiled})
endfunction()

function(entune_library name)
  add_entune_library(${name} text_precompiled ${ARGN})
endfunction()

function(entune_torch_library name)
  add_entune_library(${name} torch_precompiled ${ARGN})
  target_link_libraries(${name} PUBLIC LibTorch::LibTorch fmt::fmt)
endfunction()
