#pragma once

#include <vector>

#include "distributed/parameter_buckets.h"
#include "trainer/model/decoder_model.h"

namespace entune {

/// How the tensor axis holds a parameter and its gradient: what shares a bucket.
enum GradientKind { kSharded, kReplicated, kPartial };

/// The model's parameters that have a gradient, in its order.
std::vector<Parameter> trained_parameters(DecoderModel& model);

/// The same as ParameterBuckets takes them, each with its GradientKind.
std::vector<BucketedParameter> bucketed_parameters(DecoderModel& model);

}  // namespace entune
