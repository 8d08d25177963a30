#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "data/batches/batch_loader.h"
#include "data/entity.h"
#include "trainer/recipe/recipe.h"
#include "trainer/study/cell_setup.h"

namespace entune {

/// The texts of one cell. Cells with the same `data`, `labels` and `label_map` keys have the same texts in the same
/// order.
struct CellData {
  std::vector<Example> train, validation, test;
  std::map<std::string, std::int64_t>
      left_out;  ///< why -> texts, before the split ("xml: ...", "too long", "bad sample")

  const std::vector<Example>& side(const std::string& name) const;
};

/// Reads and splits the data of every cell. A text that one cell's format cannot carry, or that is too long in one of
/// them, is left out of all: the comparison stands on the same texts. Throws InputError for entities with labels
/// outside the list, and as on_bad_sample, on_too_long and the split say.
std::vector<CellData> prepare_data(const std::vector<StudyCell>& cells, const std::vector<CellSetup>& setups);

/// One data file as the recipe reads all of its: label_map, group key and bad samples alike. Throws InputError, also
/// for labels outside the list.
std::vector<Example> read_data_file(const DataFile& file, const Recipe& recipe, std::int64_t& num_skipped);

/// What a cell trains on: the train side as tokens, under one label list or, with task.label_list_variants > 1, dealt
/// over that many lists (the whole list first, then seeded subsets in seeded orders; entities outside a list are not in
/// its answers). Held-out labels are in none.
std::vector<TrainingSample> training_samples(const Recipe& recipe, const CellSetup& setup,
                                             const std::vector<Example>& examples);

/// The label lists of training: see training_samples().
std::vector<LabelList> label_list_variants(const Recipe& recipe);

}  // namespace entune
