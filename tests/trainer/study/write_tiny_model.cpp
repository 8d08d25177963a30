// write_tiny_model DIR: the model directory of the study tests, for scripts that run whole programs.

#include <cstdio>

#include "tests/trainer/study/tiny_model.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("expected a directory\n", stderr);
    return 2;
  }
  entune::test::write_tiny_model(argv[1]);
  return 0;
}
