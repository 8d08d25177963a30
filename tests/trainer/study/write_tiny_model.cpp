// write_tiny_model DIR: the tests' tiny model (tiny_model.h) for script tests.
#include "tests/trainer/study/tiny_model.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  entune::test::write_tiny_model(argv[1]);
}
