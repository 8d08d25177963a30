#pragma once

#include <cstdint>
#include <map>
#include <set>
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
  std::string split_note;  ///< what a person should know of the split, or empty: texts without the member of data.split.by

  const std::vector<Example>& side(const std::string& name) const;
};

/// Reads and splits the data of every cell. A text that one cell's format cannot carry, or that is too long in one of
/// them, is left out of all: the comparison stands on the same texts. Throws InputError for entities with labels
/// outside the list, as on_bad_sample, on_too_long and the split say, and for a data.split.by of the user's that no text
/// of a split file has. `of_finished_run`: the recipe is a run's, which writes all keys out, so none tells whether the
/// user meant it; the run was checked when it began.
std::vector<CellData> prepare_data(const std::vector<StudyCell>& cells, const std::vector<CellSetup>& setups,
                                   bool of_finished_run = false);

/// The split notes of all cells, each once.
std::set<std::string> split_notes(const std::vector<CellData>& data);

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
