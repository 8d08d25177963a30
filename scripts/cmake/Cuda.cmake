# CUDA and NCCL, where a toolkit and a libtorch with CUDA are found. Which sources belong to a build is decided by file (Targets.cmake),
# nothing by #ifdef: what sees this file's targets needs no condition, as they are empty in a build without CUDA.
#
# ENTUNE_CUDA: auto (what is found), on (a build without CUDA is refused), off.
#
# Looked for: the toolkit at CUDAToolkit_ROOT, at CUDA_HOME, around an nvcc in PATH, in .deps/cuda (NVIDIA's wheels from PyPI, which
# scripts/setup.sh installs with ENTUNE_CUDA=on) and in /usr/local/cuda; NCCL and CUDA's libraries beside libtorch (a wheel's neighbours), in
# the toolkit, at NCCL_ROOT and in the system.
#
# Gives ENTUNE_WITH_CUDA, ENTUNE_NVCC, ENTUNE_CUDA_CODE (nvcc's flags) and the targets
#   Cuda::runtime          headers of the toolkit, libcudart, libc10_cuda (streams, events, the allocator)
#   Cuda::nccl             nccl.h and libnccl
#   LibTorch::torch_cuda   the CUDA operators: for programs. No symbol refers to them, they register themselves when loaded
set(ENTUNE_CUDA auto CACHE STRING "Build for CUDA: auto, on or off")
set_property(CACHE ENTUNE_CUDA PROPERTY STRINGS auto on off)
if(NOT ENTUNE_CUDA MATCHES "^(auto|on|off)$")
  message(FATAL_ERROR "ENTUNE_CUDA: expected auto, on or off, found '${ENTUNE_CUDA}'")
endif()

# The first of `roots` that holds the file by one of the relative paths; OUT is the file, or empty.
function(entune_first_file out)
  cmake_parse_arguments(arg "" "" "ROOTS;PATHS" ${ARGN})
  set(${out} "" PARENT_SCOPE)
  foreach(root ${arg_ROOTS})
    foreach(path ${arg_PATHS})
      if(EXISTS "${root}/${path}")
        set(${out} "${root}/${path}" PARENT_SCOPE)
        return()
      endif()
    endforeach()
  endforeach()
endfunction()

set(cuda_missing "")
set(toolkit_roots ${CUDAToolkit_ROOT} $ENV{CUDAToolkit_ROOT} $ENV{CUDA_HOME})
find_program(nvcc_in_path nvcc NO_CACHE)
if(nvcc_in_path)
  file(REAL_PATH "${nvcc_in_path}" nvcc_in_path)
  get_filename_component(nvcc_folder "${nvcc_in_path}" DIRECTORY)
  get_filename_component(nvcc_root "${nvcc_folder}" DIRECTORY)
  list(APPEND toolkit_roots "${nvcc_root}")
endif()
list(APPEND toolkit_roots "${CMAKE_SOURCE_DIR}/.deps/cuda/nvidia/cu13" /usr/local/cuda)

set(cuda_root "")
foreach(root ${toolkit_roots})
  # nvidia-cuda-runtime's wheel alone holds headers, but not those under crt/ that they include.
  if(NOT cuda_root AND EXISTS "${root}/bin/nvcc" AND EXISTS "${root}/include/cuda_runtime.h" AND EXISTS "${root}/include/crt/host_defines.h")
    set(cuda_root "${root}")
  endif()
endforeach()
set(cuda_major "")
if(cuda_root)
  file(STRINGS "${cuda_root}/include/cuda_runtime_api.h" cudart_version REGEX "^#define CUDART_VERSION +[0-9]+")
  string(REGEX REPLACE ".* ([0-9]+)[0-9][0-9][0-9]$" "\\1" cuda_major "${cudart_version}")
else()
  list(APPEND cuda_missing "a CUDA toolkit with bin/nvcc and its headers (set CUDAToolkit_ROOT, or run ENTUNE_CUDA=on scripts/setup.sh)")
endif()

if(NOT EXISTS "${LIBTORCH_DIR}/lib/libtorch_cuda.so")
  list(APPEND cuda_missing "a libtorch with CUDA (libtorch_cuda.so in '${LIBTORCH_DIR}/lib')")
else()
  # A wheel has libtorch_cuda in any case; what it loads comes from packages beside it, of which a set-up for CPUs has few.
  execute_process(COMMAND ldd "${LIBTORCH_DIR}/lib/libtorch_cuda.so" OUTPUT_VARIABLE loaded ERROR_QUIET)
  string(REGEX MATCHALL "lib[^ \n]+ => not found" not_found "${loaded}")
  list(TRANSFORM not_found REPLACE " => not found" "")
  list(REMOVE_DUPLICATES not_found)
  if(not_found)
    list(JOIN not_found ", " not_found)
    list(APPEND cuda_missing "libraries that libtorch_cuda.so loads: ${not_found} (run ENTUNE_CUDA=on scripts/setup.sh)")
  endif()
endif()
# A wheel says which CUDA it was built with; two majors in one process do not get along.
if(cuda_major AND EXISTS "${LIBTORCH_DIR}/version.py")
  file(STRINGS "${LIBTORCH_DIR}/version.py" torch_cuda REGEX "^cuda.*'[0-9]+")
  string(REGEX REPLACE ".*'([0-9]+).*" "\\1" torch_cuda "${torch_cuda}")
  if(NOT torch_cuda STREQUAL cuda_major)
    list(APPEND cuda_missing "a toolkit of libtorch's CUDA ${torch_cuda} (that in '${cuda_root}' is CUDA ${cuda_major})")
  endif()
endif()

if(cuda_major)
  get_filename_component(beside_torch "${LIBTORCH_DIR}/../nvidia" ABSOLUTE)
  set(library_roots "${beside_torch}/cu${cuda_major}" "${beside_torch}/nccl" "${cuda_root}" "${cuda_root}/targets/${CMAKE_SYSTEM_PROCESSOR}-linux"
      ${NCCL_ROOT} $ENV{NCCL_ROOT} /usr "${LIBTORCH_DIR}")
  set(library_folders lib lib64 "lib/${CMAKE_LIBRARY_ARCHITECTURE}")
  foreach(library cudart.so.${cuda_major} nccl.so.2)
    list(TRANSFORM library_folders APPEND "/lib${library}" OUTPUT_VARIABLE paths)
    string(REGEX REPLACE "\\..*" "" name "${library}")
    entune_first_file(${name}_library ROOTS ${library_roots} PATHS ${paths})
    if(NOT ${name}_library)
      list(APPEND cuda_missing "lib${library} (beside libtorch, in the toolkit or in the system)")
    endif()
  endforeach()
  entune_first_file(nccl_header ROOTS ${library_roots} PATHS include/nccl.h)
  if(NOT nccl_header)
    list(APPEND cuda_missing "nccl.h (beside libtorch, in the toolkit or in the system; set NCCL_ROOT)")
  endif()
endif()

add_library(Cuda::runtime INTERFACE IMPORTED GLOBAL)
add_library(Cuda::nccl INTERFACE IMPORTED GLOBAL)
add_library(LibTorch::torch_cuda INTERFACE IMPORTED GLOBAL)
set(ENTUNE_WITH_CUDA FALSE CACHE INTERNAL "whether this build has CUDA in it")
if(ENTUNE_CUDA STREQUAL "off")
  message(STATUS "CUDA: off")
elseif(cuda_missing)
  list(JOIN cuda_missing "; " cuda_missing)
  if(ENTUNE_CUDA STREQUAL "on")
    message(FATAL_ERROR "ENTUNE_CUDA=on: missing: ${cuda_missing}")
  endif()
  message(STATUS "CUDA: not built for; missing: ${cuda_missing}")
else()
  set(ENTUNE_WITH_CUDA TRUE CACHE INTERNAL "whether this build has CUDA in it")
  message(STATUS "CUDA: ${cuda_major} in ${cuda_root}, NCCL in ${nccl_library}")
  set(ENTUNE_NVCC "${cuda_root}/bin/nvcc")
  # Machine code for A100 and H100/H200; what comes after them compiles the PTX when it first loads it. sm_90a's own PTX would run nowhere else.
  set(ENTUNE_CUDA_CODE -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90a,code=sm_90a -gencode arch=compute_90,code=compute_90)
  foreach(library cudart nccl)
    add_library(Cuda::${library}_library SHARED IMPORTED GLOBAL)
    set_target_properties(Cuda::${library}_library PROPERTIES IMPORTED_LOCATION "${${library}_library}")
  endforeach()
  add_library(LibTorch::c10_cuda SHARED IMPORTED GLOBAL)
  set_target_properties(LibTorch::c10_cuda PROPERTIES IMPORTED_LOCATION "${LIBTORCH_DIR}/lib/libc10_cuda.so")
  target_include_directories(Cuda::runtime SYSTEM INTERFACE "${cuda_root}/include")
  target_link_libraries(Cuda::runtime INTERFACE LibTorch::c10_cuda Cuda::cudart_library)
  get_filename_component(nccl_include "${nccl_header}" DIRECTORY)
  target_include_directories(Cuda::nccl SYSTEM INTERFACE "${nccl_include}")
  target_link_libraries(Cuda::nccl INTERFACE Cuda::nccl_library)
  # One word, so that nothing moves between the three.
  target_link_libraries(LibTorch::torch_cuda INTERFACE LibTorch::c10_cuda
                        "-Wl,--push-state,--no-as-needed,${LIBTORCH_DIR}/lib/libtorch_cuda.so,--pop-state")
endif()
