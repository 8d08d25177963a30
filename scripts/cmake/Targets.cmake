# One static library per folder. What a library may link is the order of the folders; tests/include_rules checks the includes.
#
# entune_library(NAME [DEPENDS lib...]): all *.cpp of the calling folder (RECURSE: of its subfolders too).
# entune_torch_library(NAME ...): the same for folders that see libtorch; they share one precompiled header.
function(entune_library name)
  cmake_parse_arguments(arg "RECURSE" "" "DEPENDS" ${ARGN})
  if(arg_RECURSE)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  else()
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  endif()
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_options(${name} PRIVATE -Wall -Wextra -Werror)
  target_link_libraries(${name} PUBLIC ${arg_DEPENDS})
endfunction()

# The library that owns the precompiled header: ATen, autograd and custom functions cost 13 s a file without it.
function(entune_precompiled_torch)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/torch_precompiled.cpp CONTENT "")
  add_library(torch_precompiled STATIC ${CMAKE_BINARY_DIR}/torch_precompiled.cpp)
  target_link_libraries(torch_precompiled PUBLIC LibTorch::LibTorch fmt::fmt)
  target_compile_options(torch_precompiled PRIVATE -Wall -Wextra -Werror)
  target_precompile_headers(torch_precompiled PRIVATE <ATen/ATen.h> <torch/csrc/autograd/custom_function.h>
                            <torch/csrc/autograd/autograd.h> <string> <vector> <memory> <functional> <fmt/format.h>)
endfunction()
entune_precompiled_torch()

function(entune_torch_library name)
  entune_library(${name} ${ARGN})
  target_link_libraries(${name} PUBLIC LibTorch::LibTorch fmt::fmt)
  target_precompile_headers(${name} REUSE_FROM torch_precompiled)
endfunction()
