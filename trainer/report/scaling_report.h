#pragma once

#include <string>
#include <vector>

#include "trainer/report/scaling_runs.h"

namespace entune {

/// The rows as aligned plain text, one table for each setting, strong before weak scaling. Crowded sizes are marked.
std::string scaling_table(const std::vector<ScalingRow>& rows);

/// One line a row, with a header. Fields that are undefined are empty.
std::string scaling_csv(const std::vector<ScalingRow>& rows);

/// One HTML page: for each setting the table and, over the ranks, tokens a second, efficiency, exposed communication
/// and memory, a line for each number of tensor ranks. Crowded sizes are in the table alone.
std::string scaling_html(const std::vector<ScalingRow>& rows);

}  // namespace entune
