#include <algorithm>

#include "data/random.h"
#include "trainer/study/cell_data.h"

namespace entune {
namespace {

constexpr double kKeepLabel = 0.6;  // chance of a label to stay in a varied list
// Streams of random numbers that must not repeat one another, nor the order of samples, which starts at the seed
// itself.
constexpr std::uint64_t kListStream = 0x6C61626C;
constexpr std::uint64_t kDealStream = 0x6465616C;

LabelList trained_labels(const Recipe& recipe) {
  LabelList labels;
  for (const Label& label : recipe.labels) {
    const auto& held_out = recipe.data.held_out_labels;
    if (std::find(held_out.begin(), held_out.end(), label.name) == held_out.end()) labels.push_back(label);
  }
  return labels;
}

Example under_labels(Example example, const LabelList& labels) {
  std::erase_if(example.entities, [&](const Entity& entity) {
    return std::none_of(labels.begin(), labels.end(), [&](const Label& label) { return label.name == entity.label; });
  });
  return example;
}

}  // namespace

std::vector<LabelList> label_list_variants(const Recipe& recipe) {
  const LabelList whole = trained_labels(recipe);
  std::vector<LabelList> variants{whole};
  Random random(recipe.seed ^ kListStream);
  while (static_cast<std::int64_t>(variants.size()) < recipe.task.label_list_variants) {
    LabelList list;
    for (const Label& label : whole) {
      if (random.chance(kKeepLabel)) list.push_back(label);
    }
    if (list.empty()) list.push_back(random.choice(whole));
    random.shuffle(list);
    variants.push_back(std::move(list));
  }
  return variants;
}

std::vector<TrainingSample> training_samples(const Recipe& recipe, const CellSetup& setup,
                                             const std::vector<Example>& examples) {
  const std::vector<LabelList> variants = label_list_variants(recipe);
  std::vector<std::unique_ptr<AnswerTask>> tasks;
  for (const LabelList& labels : variants) tasks.push_back(make_task(recipe, setup, labels));
  Random random(recipe.seed ^ kDealStream);
  std::vector<TrainingSample> samples;
  for (const Example& example : examples) {
    const auto variant = static_cast<std::size_t>(random.below(static_cast<std::int64_t>(variants.size())));
    samples.push_back(
        {tasks[variant]->with_answer(under_labels(example, variants[variant])), static_cast<std::int64_t>(variant)});
  }
  return samples;
}

}  // namespace entune
