#include "trainer/study/cell_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "data/corpus.h"
#include "data/input_error.h"
#include "data/shown_name.h"
#include "data/split.h"

namespace entune {
namespace {

struct Sources {
  std::vector<Example> train, validation, test;  // as far as they have a file of their own; train: what is split
  std::int64_t num_skipped = 0;
};

void require_listed_labels(const Corpus& corpus, const LabelList& labels, const std::string& path) {
  std::set<std::string> listed;
  for (const Label& label : labels) listed.insert(label.name);
  for (std::size_t i = 0; i < corpus.examples.size(); ++i) {
    const Example& example = corpus.examples[i];
    for (const Entity& entity : example.entities) {
      if (listed.count(entity.label)) continue;
      throw InputError(
          fmt::format("{}:{}: sample {}: label {} is not in the recipe's `labels`; add it there, or map it to null in "
                      "`label_map` to drop its entities",
                      path, corpus.lines[i], example.id, shown_name(entity.label)));
    }
  }
}

Sources read_sources(const Recipe& recipe) {
  Sources sources;
  const auto read_side = [&](const std::optional<DataFile>& file) {
    return file ? read_data_file(*file, recipe, sources.num_skipped) : std::vector<Example>{};
  };
  sources.train = read_side(recipe.data.train);
  sources.validation = read_side(recipe.data.validation);
  sources.test = read_side(recipe.data.test);
  return sources;
}

// The values of all keys that begin with one of `prefixes`, as one string.
std::string key_of(const LoadedRecipe& loaded, const std::vector<std::string>& prefixes) {
  std::string key;
  for (const ResolvedKey& entry : loaded.keys) {
    const auto begins = [&](const std::string& prefix) { return entry.key.rfind(prefix, 0) == 0; };
    if (std::any_of(prefixes.begin(), prefixes.end(), begins)) key += entry.key + "=" + entry.value + "\n";
  }
  return key;
}

// Texts that every cell can train on and answer. Decided before the split, so that counts are exact and the same for
// all.
class Filter {
 public:
  Filter(const std::vector<StudyCell>& cells, const std::vector<CellSetup>& setups) : cells_(cells), setups_(setups) {
    std::set<std::string> seen;  // cells that differ in the seed alone, say, judge alike
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (seen.insert(
                  key_of(cells[i].loaded, {"model.", "labels", "task.", "training.max_tokens", "training.on_too_long"}))
              .second)
        judges_.push_back(i);
    }
  }

  void apply(std::vector<Example>& examples, std::map<std::string, std::int64_t>& left_out) const {
    std::erase_if(examples, [&](const Example& example) {
      const std::optional<std::string> reason = why_not(example);
      if (reason) ++left_out[*reason];
      return reason.has_value();
    });
  }

 private:
  std::optional<std::string> why_not(const Example& example) const {
    for (const std::size_t i : judges_) {
      const OutputFormat& format = setups_[i].task->format();
      if (const auto reason = format.why_not(example)) return fmt::format("{}: {}", format.name(), *reason);
    }
    for (const std::size_t i : judges_) {
      const Recipe::Training& training = cells_[i].loaded.recipe.training;
      const auto tokens = static_cast<std::int64_t>(setups_[i].task->with_answer(example).ids.size());
      if (tokens <= training.max_tokens) continue;
      if (!training.skip_too_long) {
        throw InputError(
            fmt::format("sample {}: expected at most {} tokens (training.max_tokens), found {} in cell {}; raise "
                        "training.max_tokens or set training.on_too_long: skip",
                        example.id, training.max_tokens, tokens, cells_[i].name));
      }
      return "too long";
    }
    return std::nullopt;
  }

  const std::vector<StudyCell>& cells_;
  const std::vector<CellSetup>& setups_;
  std::vector<std::size_t> judges_;
};

bool has_label(const Example& example, const std::vector<std::string>& labels) {
  return std::any_of(example.entities.begin(), example.entities.end(), [&](const Entity& entity) {
    return std::find(labels.begin(), labels.end(), entity.label) != labels.end();
  });
}

// Takes out the texts that hold a held-out label, and counts them.
void leave_out(std::vector<Example>& examples, const std::vector<std::string>& held_out, CellData& data) {
  const auto removed = std::erase_if(examples, [&](const Example& example) { return has_label(example, held_out); });
  if (removed > 0) data.left_out["held-out label (training and validation)"] += static_cast<std::int64_t>(removed);
}

// Whether data.train is dealt to two sides or three.
bool is_split(const SplitOptions& split) {
  const auto is_side = [](const SplitSize& size) { return size.kind != SplitSize::Kind::none; };
  return is_side(split.train) + is_side(split.validation) + is_side(split.test) > 1;
}

// Without its member a text is a group of its own, and two texts of one template may land on two sides. What the user
// asked for must be there; what is only the default is said. Returns the note.
std::string check_split_member(const LoadedRecipe& loaded, const std::vector<Example>& examples, bool of_finished_run) {
  const Recipe::Data& data = loaded.recipe.data;
  if (!data.train || !is_split(data.split)) return "";
  const auto num_without =
      std::count_if(examples.begin(), examples.end(), [](const Example& example) { return example.group.empty(); });
  if (num_without == 0) return "";
  const auto key = std::find_if(loaded.keys.begin(), loaded.keys.end(),
                                [](const ResolvedKey& entry) { return entry.key == "data.split.by"; });
  const bool is_all = static_cast<std::size_t>(num_without) == examples.size();
  if (is_all && key->origin != "default" && !of_finished_run) {
    throw InputError(
        fmt::format("{}: data.split.by: expected a member of the samples, found '{}' in none of the {} of {}; name one "
                    "that they have, or remove data.split.by to split each text by itself",
                    key->origin, data.split_by, examples.size(), data.train->path));
  }
  return fmt::format("{} of {} texts have no {}: each of them is split by its text alone", num_without, examples.size(),
                     data.split_by);
}

SplitSize as_count(SplitSize size, std::size_t num_examples) {
  if (size.kind != SplitSize::Kind::fraction) return size;
  return {SplitSize::Kind::count, std::llround(size.fraction * static_cast<double>(num_examples)), 0.0};
}

void split_sources(const Recipe& recipe, Sources sources, CellData& data) {
  const std::vector<std::string>& held_out = recipe.data.held_out_labels;
  if (held_out.empty()) {
    CorpusSplit split = split_corpus(sources.train, recipe.data.split);
    data.train = std::move(split.train);
    data.validation = std::move(split.validation);
    data.test = std::move(split.test);
  } else {
    // The test side first, from all texts; what is left is trained on without the texts that hold a held-out label.
    if (recipe.data.split.test.kind == SplitSize::Kind::rest) {
      throw InputError(
          "data.split.test: expected a count or a fraction beside data.held_out_labels, found rest; the training side "
          "takes what is left");
    }
    const std::size_t total = sources.train.size();
    SplitOptions test_side = recipe.data.split;
    test_side.train = {SplitSize::Kind::rest};
    test_side.validation = {};
    CorpusSplit first = split_corpus(sources.train, test_side);
    leave_out(first.train, held_out, data);
    SplitOptions others = recipe.data.split;
    others.train = as_count(others.train, total);
    others.validation = as_count(others.validation, total);
    others.test = {};
    CorpusSplit second = split_corpus(first.train, others);
    data.train = std::move(second.train);
    data.validation = std::move(second.validation);
    data.test = std::move(first.test);
  }
  if (recipe.data.validation) {
    data.validation = std::move(sources.validation);
    leave_out(data.validation, held_out, data);
  }
  if (recipe.data.test) data.test = std::move(sources.test);
}

void require_texts(const Recipe& recipe, const CellData& data) {
  if (recipe.training.method != TrainingMethod::none && data.train.empty()) {
    throw InputError(
        "data.train: expected texts to train on, found none; check data.split and what was left out, or set "
        "training.method: none");
  }
  for (const std::string& split : recipe.evaluation.splits) {
    if (data.side(split).empty())
      throw InputError(fmt::format("evaluation.splits: expected texts in {}, found none; check data.{} and data.split",
                                   split, split));
  }
}

// Verbatim texts and templates of a separate file must not stand on two sides either.
void require_disjoint_sides(const Recipe& recipe, const CellData& data) {
  std::map<std::string_view, std::string_view> side_of_text, side_of_group;
  const auto claim = [&](const std::vector<Example>& examples, std::string_view side) {
    for (const Example& example : examples) {
      if (const auto [found, fresh] = side_of_text.emplace(example.text, side); !fresh && found->second != side) {
        throw InputError(fmt::format("sample {}: its text stands in {} and in {}; take it out of one of the files",
                                     example.id, found->second, side));
      }
      if (example.group.empty() || recipe.training.method == TrainingMethod::none) continue;
      if (const auto [found, fresh] = side_of_group.emplace(example.group, side); !fresh && found->second != side) {
        throw InputError(
            fmt::format("sample {}: its {} stands in {} and in {}; take its texts out of one of the files, or, "
                        "if one number means two templates, name another member in data.split.by",
                        example.id, recipe.data.split_by, found->second, side));
      }
    }
  };
  claim(data.train, "train");
  claim(data.validation, "validation");
  claim(data.test, "test");
}

}  // namespace

std::vector<Example> read_data_file(const DataFile& file, const Recipe& recipe, std::int64_t& num_skipped) {
  ReaderOptions options;
  options.reader = file.reader;
  options.scheme = file.scheme;
  options.group_key = recipe.data.split_by;
  options.on_bad_sample = recipe.data.on_bad_sample;
  options.max_skipped = recipe.data.max_skipped;
  options.label_map = recipe.label_map;
  Corpus corpus = read_corpus(file.path, options);
  num_skipped += corpus.num_skipped;
  require_listed_labels(corpus, recipe.labels, file.path);
  return std::move(corpus.examples);
}

const std::vector<Example>& CellData::side(const std::string& name) const {
  return name == "train" ? train : name == "validation" ? validation : test;
}

std::set<std::string> split_notes(const std::vector<CellData>& data) {
  std::set<std::string> notes;
  for (const CellData& cell : data) {
    if (!cell.split_note.empty()) notes.insert(cell.split_note);
  }
  return notes;
}

std::vector<CellData> prepare_data(const std::vector<StudyCell>& cells, const std::vector<CellSetup>& setups,
                                   bool of_finished_run) {
  const Filter filter(cells, setups);
  std::map<std::string, CellData> prepared;
  std::vector<CellData> all;
  for (const StudyCell& cell : cells) {
    const std::string key = key_of(cell.loaded, {"data.", "label"});
    if (!prepared.count(key)) {
      const Recipe& recipe = cell.loaded.recipe;
      Sources sources = read_sources(recipe);
      CellData data;
      data.split_note = check_split_member(cell.loaded, sources.train, of_finished_run);
      if (sources.num_skipped > 0) data.left_out["bad sample"] = sources.num_skipped;
      for (auto* examples : {&sources.train, &sources.validation, &sources.test})
        filter.apply(*examples, data.left_out);
      split_sources(recipe, std::move(sources), data);
      require_disjoint_sides(recipe, data);
      require_texts(recipe, data);
      prepared.emplace(key, std::move(data));
    }
    all.push_back(prepared.at(key));
  }
  return all;
}

}  // namespace entune
