# entune_test(NAME SOURCES... DEPENDS lib...): a GoogleTest program; every TEST in it is a CTest of its own.
# entune_torch_test: the same with libtorch's precompiled header.
# entune_mpi_test(NAME RANKS n... SOURCES... DEPENDS lib... [TEST_SECONDS s]): one CTest for each number of ranks, under mpirun, one thread a
# rank; a TEST that takes longer than TEST_SECONDS (60) ends its program.
find_package(GTest REQUIRED)
include(GoogleTest)
# Tests spend their time in libraries: their own code need not be fast, but quick to compile.
set(ENTUNE_TEST_OPTIMIZATION -O1)

function(entune_test name)
  cmake_parse_arguments(arg "TORCH" "TIMEOUT" "SOURCES;DEPENDS;LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_compile_options(${name} PRIVATE -Wall -Wextra -Werror ${ENTUNE_TEST_OPTIMIZATION})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_definitions(${name} PRIVATE ENTUNE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS} GTest::gmock_main)
  if(arg_TORCH)
    target_link_libraries(${name} PRIVATE LibTorch::LibTorch)
  endif()
  gtest_discover_tests(${name} TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 120
                       PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "unit;${arg_LABELS}" ENVIRONMENT "OMP_NUM_THREADS=1")
endfunction()

# Of the tests that do not see libtorch.
entune_precompiled(gtest_precompiled LINK GTest::gmock HEADERS <gmock/gmock.h> <gtest/gtest.h> <nlohmann/json.hpp> <string> <vector>)
target_compile_options(gtest_precompiled PRIVATE ${ENTUNE_TEST_OPTIMIZATION})

function(entune_torch_test name)
  entune_test(${name} TORCH ${ARGN})
  target_precompile_headers(${name} REUSE_FROM torch_precompiled)
endfunction()

# Ranks that wait give way: the machine may have fewer cores than ranks, or other work.
set(ENTUNE_MPIRUN ${MPIEXEC_EXECUTABLE} --oversubscribe --bind-to none --mca mpi_yield_when_idle 1)
function(entune_mpi_test name)
  cmake_parse_arguments(arg "" "TIMEOUT;TEST_SECONDS" "RANKS;SOURCES;DEPENDS;LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  if(NOT arg_TEST_SECONDS)
    set(arg_TEST_SECONDS 60)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_compile_options(${name} PRIVATE -Wall -Wextra -Werror ${ENTUNE_TEST_OPTIMIZATION})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_definitions(${name} PRIVATE ENTUNE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS} test_mpi_main)
  target_precompile_headers(${name} REUSE_FROM torch_precompiled)
  foreach(ranks ${arg_RANKS})
    add_test(NAME ${name}.ranks_${ranks} COMMAND ${ENTUNE_MPIRUN} -np ${ranks} $<TARGET_FILE:${name}>
                                            --ranks=${ranks} --test-seconds=${arg_TEST_SECONDS})
    set_tests_properties(${name}.ranks_${ranks} PROPERTIES TIMEOUT ${arg_TIMEOUT} PROCESSORS 2 LABELS "mpi;ranks_${ranks};${arg_LABELS}"
      ENVIRONMENT "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1;OMP_NUM_THREADS=1")
  endforeach()
endfunction()
