#include "trainer/recipe/validate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "data/input_error.h"

namespace entune {
namespace {

class Validation {
 public:
  Validation(const Recipe& recipe, const Settings& settings) : recipe_(recipe), settings_(settings) {}

  void check_names() const {
    const std::string& name = recipe_.name;
    const auto is_allowed = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
             c == '-';
    };
    if (!std::all_of(name.begin(), name.end(), is_allowed) || name.front() == '.' || name.front() == '-') {
      refuse("name",
             fmt::format("expected letters, digits, '_', '-' and '.' (not '.' or '-' first), found '{}'", name));
    }
    check_path("output", recipe_.output);
  }

  void check_model() const {
    check_path("model.path", recipe_.model.path);
    const bool random = recipe_.model.init == "random";
    if (random && recipe_.model.preset == "none") refuse("model.preset", "init: random needs a preset; name one");
    if (!random && recipe_.model.preset != "none") {
      refuse("model.preset",
             "a pretrained model has the shape of its config.json; remove the preset, or set model.init: random");
    }
    check_adapter(random);
  }

  void check_data() const {
    const Recipe::Data& data = recipe_.data;
    if (!data.train && recipe_.training.method != TrainingMethod::none) {
      refuse("data.train", "training needs a data set; name one, or set training.method: none");
    }
    check_data_file("data.train", data.train);
    check_data_file("data.validation", data.validation);
    check_data_file("data.test", data.test);
    check_side("data.split.train", data.split.train, false, data.train.has_value());
    check_side("data.split.validation", data.split.validation, data.validation.has_value(), data.train.has_value());
    check_side("data.split.test", data.split.test, data.test.has_value(), data.train.has_value());
    double fractions = 0.0;
    int rests = 0;
    for (const SplitSize* side : {&data.split.train, &data.split.validation, &data.split.test}) {
      if (side->kind == SplitSize::Kind::fraction) fractions += side->fraction;
      rests += side->kind == SplitSize::Kind::rest ? 1 : 0;
    }
    if (fractions > 1.0 + 1e-9)
      refuse("data.split.train", fmt::format("the fractions add up to {:.6g}; at most 1", fractions));
    if (rests > 1) refuse("data.split.train", "only one side of a split can be the rest");
    if (recipe_.training.method != TrainingMethod::none && data.split.train.kind == SplitSize::Kind::none) {
      refuse("data.split.train",
             "training needs texts; give a count, a fraction or rest, or set training.method: none");
    }
    if (data.max_skipped > 0 && data.on_bad_sample == OnBadSample::fail) {
      refuse("data.max_skipped",
             "nothing is skipped with on_bad_sample: fail; set on_bad_sample: skip, or max_skipped: 0");
    }
  }

  void check_labels() const {
    for (const std::string& label : recipe_.data.held_out_labels) require_label("data.held_out_labels", label);
    if (recipe_.data.held_out_labels.size() == recipe_.labels.size()) {
      refuse("data.held_out_labels", "every label is held out; leave some to train on");
    }
    for (const auto& [from, to] : recipe_.label_map) {
      if (to) require_label("label_map", *to);
    }
  }

  void check_training() const {
    const Recipe::Training& training = recipe_.training;
    if (training.method == TrainingMethod::lora && training.lora.dropout > 0 && training.prefix_sharing) {
      refuse("training.lora.dropout",
             "dropout draws anew for every text, a shared prefix is computed once; set dropout: 0.0, or "
             "training.prefix_sharing: false");
    }
    if (training.method == TrainingMethod::full && (recipe_.export_as == "adapter" || recipe_.export_as == "merged")) {
      refuse("export", "a full fine-tuning has no adapter; set export: hf or none");
    }
    if (training.method == TrainingMethod::lora && recipe_.export_as == "hf") {
      refuse("export", "hf is for a full fine-tuning; set export: adapter, merged or none");
    }
    if (training.method != TrainingMethod::none && training.evaluate_every.kind != Frequency::Kind::none &&
        !has_side("validation")) {
      refuse(
          "training.evaluate_every",
          "evaluating during training needs a validation side; give data.validation or data.split.validation, or set "
          "evaluate_every: none");
    }
  }

  void check_evaluation() const {
    if (recipe_.evaluation.splits.empty())
      refuse("evaluation.splits", "expected at least one side to answer, found an empty list; name one, as in [test]");
    for (const std::string& side : recipe_.evaluation.splits) {
      if (!has_side(side)) {
        refuse("evaluation.splits",
               fmt::format("there is no side '{0}'; give data.{0} or data.split.{0}, or leave it out here", side));
      }
    }
  }

  void check_files() const {
    if (!std::filesystem::is_directory(recipe_.model.path)) {
      refuse("model.path",
             fmt::format("expected a Hugging Face directory, found none at '{}' (relative paths start at the current "
                         "directory); correct the path, or make one: `trainer import --gguf FILE --to DIR`",
                         recipe_.model.path));
    }
    if (has_adapter() && !std::filesystem::is_regular_file(recipe_.model.adapter + "/adapter_config.json")) {
      refuse("model.adapter",
             fmt::format("expected a PEFT adapter directory (with adapter_config.json), found none at '{}' (relative "
                         "paths start at the current directory); correct the path, or set adapter: none",
                         recipe_.model.adapter));
    }
    check_file("data.train", recipe_.data.train);
    check_file("data.validation", recipe_.data.validation);
    check_file("data.test", recipe_.data.test);
  }

 private:
  [[noreturn]] void refuse(std::string_view key, const std::string& why) const {
    throw InputError(fmt::format("{}: {}: {}", settings_.where(key), key, why));
  }

  void check_path(std::string_view key, const std::string& path) const {
    if (path.find_first_of("\n\r\t") != std::string::npos || path.front() == '-') {
      refuse(key, "expected a path without line breaks or tabs that does not begin with '-'");
    }
  }

  bool has_adapter() const { return recipe_.model.adapter != "none"; }

  void check_adapter(bool random) const {
    if (!has_adapter()) return;
    check_path("model.adapter", recipe_.model.adapter);
    if (random) {
      refuse("model.adapter",
             "an adapter fits the weights that it was trained on; set model.init: pretrained, or none");
    }
    if (recipe_.training.method == TrainingMethod::full) {
      refuse(
          "model.adapter",
          "a full fine-tuning trains the model's own weights, and an adapter is not among them; merge it into its "
          "model first (`trainer export RUN --to merged`) and name that as model.path, or set training.method: lora");
    }
  }

  void check_data_file(std::string_view key, const std::optional<DataFile>& file) const {
    if (!file) return;
    check_path(key, file->path);
    const std::string suffix = std::filesystem::path(file->path).extension().string();
    if (file->reader == "auto" && suffix != ".jsonl" && suffix != ".json" && suffix != ".conll" && suffix != ".txt") {
      refuse(key, fmt::format("the suffix '{}' names no reader; write {{path: ..., reader: jsonl | presidio | conll}}",
                              suffix));
    }
  }

  void check_side(std::string_view key, const SplitSize& size, bool has_file, bool has_train) const {
    if (size.kind == SplitSize::Kind::none) return;
    if (has_file) refuse(key, "this side has a file of its own; remove it from the split, or remove the file");
    if (!has_train) refuse(key, "there is no data.train to split; set it to none");
  }

  void check_file(std::string_view key, const std::optional<DataFile>& file) const {
    if (file && !std::filesystem::is_regular_file(file->path)) {
      refuse(
          key,
          fmt::format(
              "expected a data file, found none at '{}' (relative paths start at the current directory); correct the "
              "path",
              file->path));
    }
  }

  void require_label(std::string_view key, const std::string& name) const {
    std::vector<std::string> names;
    for (const Label& label : recipe_.labels) names.push_back(label.name);
    if (std::find(names.begin(), names.end(), name) != names.end()) return;
    const std::string near = nearest(name, names);
    refuse(key, fmt::format("'{}' is not in labels; {}", name,
                            near.empty() ? fmt::format("there are {}", fmt::join(names, ", "))
                                         : "did you mean '" + near + "'?"));
  }

  bool has_side(std::string_view side) const {
    const Recipe::Data& data = recipe_.data;
    if (side == "validation") return data.validation || data.split.validation.kind != SplitSize::Kind::none;
    if (side == "test") return data.test || data.split.test.kind != SplitSize::Kind::none;
    return data.train && data.split.train.kind != SplitSize::Kind::none;
  }

  const Recipe& recipe_;
  const Settings& settings_;
};

}  // namespace

void validate(const Recipe& recipe, const Settings& settings, const LoadOptions& options) {
  const Validation validation(recipe, settings);
  validation.check_names();
  validation.check_model();
  validation.check_data();
  validation.check_labels();
  validation.check_training();
  validation.check_evaluation();
  if (options.check_files) validation.check_files();
}

}  // namespace entune
