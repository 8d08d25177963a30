# libtorch of a PyPI wheel (or any libtorch folder) as imported targets. Not find_package(Torch): of a CUDA wheel it demands a
# CUDA toolkit even for a CPU build and adds flags that newer nvcc refuse.
#
# LIBTORCH_DIR: the folder that holds include/ and lib/ (in a wheel: site-packages/torch).
if(NOT LIBTORCH_DIR)
  set(LIBTORCH_DIR "$ENV{LIBTORCH_DIR}")
endif()
if(NOT LIBTORCH_DIR)
  set(LIBTORCH_DIR ${CMAKE_SOURCE_DIR}/.deps/python/torch)  # scripts/setup.sh puts it there
endif()
if(NOT EXISTS "${LIBTORCH_DIR}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "LIBTORCH_DIR: expected a folder with lib/libtorch_cpu.so, found '${LIBTORCH_DIR}'; run scripts/setup.sh, "
                      "which installs it, or set LIBTORCH_DIR to an existing one")
endif()
# Kept only once it is found right: a failed configuration must not hide what is set afterwards.
set(LIBTORCH_DIR "${LIBTORCH_DIR}" CACHE PATH "libtorch: the folder with include/ and lib/" FORCE)

foreach(library c10 torch_cpu)
  add_library(LibTorch::${library} SHARED IMPORTED GLOBAL)
  set_target_properties(LibTorch::${library} PROPERTIES IMPORTED_LOCATION ${LIBTORCH_DIR}/lib/lib${library}.so)
endforeach()
add_library(LibTorch::LibTorch INTERFACE IMPORTED GLOBAL)
# The wheel carries the headers of a newer fmt, but not its library: the headers of the fmt that the program links go before them.
get_target_property(fmt_include fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/fmt_first)
file(CREATE_LINK ${fmt_include}/fmt ${CMAKE_BINARY_DIR}/fmt_first/fmt SYMBOLIC)
target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/fmt_first ${LIBTORCH_DIR}/include
                           ${LIBTORCH_DIR}/include/torch/csrc/api/include)
target_link_libraries(LibTorch::LibTorch INTERFACE LibTorch::torch_cpu LibTorch::c10 Threads::Threads)
# libtorch_cpu of a CUDA wheel refers to libcudart and libcupti, which its own rpath finds at run time.
target_link_options(LibTorch::LibTorch INTERFACE -Wl,--allow-shlib-undefined)
set(CMAKE_BUILD_RPATH ${LIBTORCH_DIR}/lib)
