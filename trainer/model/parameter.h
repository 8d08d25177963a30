#pragma once

// Declared beside the layers, which make the parameters; the model's users find it here.
#include "trainer/layers/parameter.h"
