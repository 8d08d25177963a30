#include "trainer/optim/trained_parameters.h"

namespace entune {
namespace {

GradientKind kind_of(const Parameter& parameter) {
  if (parameter.shard.dim >= 0) return kSharded;
  return parameter.partial_gradient ? kPartial : kReplicated;
}

}  // namespace

std::vector<Parameter> trained_parameters(DecoderModel& model) {
  std::vector<Parameter> trained;
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.value.requires_grad()) trained.push_back(parameter);
  }
  return trained;
}

std::vector<BucketedParameter> bucketed_parameters(DecoderModel& model) {
  std::vector<BucketedParameter> bucketed;
  for (const Parameter& parameter : trained_parameters(model))
    bucketed.push_back({parameter.value, kind_of(parameter)});
  return bucketed;
}

}  // namespace entune
