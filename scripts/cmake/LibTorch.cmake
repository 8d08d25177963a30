# libtorch of a PyPI wheel (or any libtorch folder) as imported targets. Not find_package(Torch): of a CUDA wheel it demands a
# CUDA toolkit even for a CPU build and adds flags that newer nvcc refuse.
#
# LIBTORCH_DIR: the folder that holds include/ and lib/ (in a wheel: site-packages/torch).
if(NOT LIBTORCH_DIR)
  set(LIBTORCH_DIR "$ENV{LIBTORCH_DIR}")
endif()
if(NOT LIBTORCH_DIR)
  file(GLOB candidates ${CMAKE_SOURCE_DIR}/.deps/python/lib/python3*/site-packages/torch ${CMAKE_SOURCE_DIR}/.deps/torch)
  list(GET candidates 0 LIBTORCH_DIR)
endif()
set(LIBTORCH_DIR "${LIBTORCH_DIR}" CACHE PATH "libtorch: the folder with include/ and lib/" FORCE)
if(NOT EXISTS "${LIBTORCH_DIR}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "LIBTORCH_DIR: expected a folder with lib/libtorch_cpu.so, found '${LIBTORCH_DIR}'; run scripts/quickstart.sh, "
                      "which installs it, or set LIBTORCH_DIR to an existing one")
endif()

foreach(library c10 torch_cpu)
  add_library(LibTorch::${library} SHARED IMPORTED GLOBAL)
  set_target_properties(LibTorch::${library} PROPERTIES IMPORTED_LOCATION ${LIBTORCH_DIR}/lib/lib${library}.so)
endforeach()
add_library(LibTorch::LibTorch INTERFACE IMPORTED GLOBAL)
target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE ${LIBTORCH_DIR}/include ${LIBTORCH_DIR}/include/torch/csrc/api/include)
target_link_libraries(LibTorch::LibTorch INTERFACE LibTorch::torch_cpu LibTorch::c10 Threads::Threads)
# libtorch_cpu of a CUDA wheel refers to libcudart and libcupti, which its own rpath finds at run time.
target_link_options(LibTorch::LibTorch INTERFACE -Wl,--allow-shlib-undefined)
set(CMAKE_BUILD_RPATH ${LIBTORCH_DIR}/lib)
