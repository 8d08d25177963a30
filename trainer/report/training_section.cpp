#include "trainer/report/training_section.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "trainer/report/bar_chart.h"
#include "trainer/report/html_table.h"
#include "trainer/report/line_chart.h"
#include "trainer/report/report_style.h"
#include "trainer/report/summary_numbers.h"

namespace entune {
namespace {

using nlohmann::json;

/// A line for each cell that has records at train.<list>, of `value` over step.
std::vector<LineSeries> series_of(const std::vector<Variant>& variants, std::string_view list, std::string_view value,
                                  bool markers) {
  std::vector<LineSeries> series;
  for (std::size_t v = 0; v < variants.size(); ++v) {
    for (const json* cell : variants[v].cells) {
      LineSeries line{.name = string_at(*cell, {"name"}), .style = series_style(v), .points = {}, .markers = markers};
      const json& records = at_path(*cell, {"train", list});
      if (!records.is_array()) continue;
      for (const json& record : records) {
        const auto x = number_at(record, {"step"}), y = number_at(record, {value});
        if (x && y) line.points.emplace_back(*x, *y);
      }
      if (!line.points.empty()) series.push_back(std::move(line));
    }
  }
  return series;
}

std::string memory(const std::optional<double>& bytes) {
  return bytes ? fmt::format("{:.2f} GiB", *bytes / (1024.0 * 1024.0 * 1024.0)) : fixed(bytes, 2);
}

/// Size and hours of every cell and, where GPUs worked and their price is known, money: in all, and for each hundredth
/// of F1.
HtmlTable price_table(const std::vector<Variant>& variants, const std::string& split) {
  HtmlTable table({"Cell", "Parameters", "Trained", "Ranks", "Hours", "GPU hours", "USD", "USD a point of F1"});
  for (const Variant& variant : variants) {
    for (const json* cell : variant.cells) {
      const json& cost = at_path(*cell, {"cost"});
      if (cost.is_null()) continue;
      const auto usd = number_at(cost, {"usd"}), f1 = number_at(*cell, {"scores", split, "raw", "strict", "f1"});
      // The bill of free answers beside constrained ones is for answering alone: the training is the other cell's.
      std::optional<double> usd_a_point = cell->contains("of") ? std::nullopt : ratio(usd, f1);
      if (usd_a_point) *usd_a_point /= 100.0;
      table.add_row({string_at(*cell, {"name"}), grouped(number_at(*cell, {"model", "parameters"})),
                     grouped(number_at(*cell, {"model", "trained"})), grouped(number_at(cost, {"ranks"})),
                     fixed(number_at(cost, {"hours"}), 2), fixed(number_at(cost, {"gpu_hours"}), 2), fixed(usd, 2),
                     fixed(usd_a_point, 3)});
    }
  }
  return table;
}

}  // namespace

std::string loss_section(const json& summary) {
  const std::vector<Variant> variants = variants_of(summary);
  std::string charts;
  const auto add = [&](const std::vector<LineSeries>& series, const LineChartOptions& options) {
    const std::string svg = line_chart(series, options);
    if (!svg.empty()) charts += fmt::format("<figure><h3>{}</h3>{}</figure>\n", options.title, svg);
  };
  add(series_of(variants, "losses", "loss", false),
      {.title = "Training loss", .x_name = "step", .y_name = "loss", .y_logarithmic = true});
  add(series_of(variants, "validation", "loss", true),
      {.title = "Validation loss", .x_name = "step", .y_name = "loss", .y_logarithmic = true});
  add(series_of(variants, "validation", "strict_f1", true),
      {.title = "Validation strict F1", .x_name = "step", .y_name = "F1"});
  if (charts.empty()) return "";

  std::vector<LegendEntry> legend;
  for (std::size_t v = 0; v < variants.size(); ++v) {
    if (at_path(*variants[v].cells.front(), {"train", "losses"}).is_array()) {
      legend.push_back({series_style(v), variants[v].name});
    }
  }
  return "<section>\n<h2>Loss</h2>\n<p class=\"soft\">Mean loss a token, by the tokens' weights (of answers and their "
         "ends; with loss.prompt_weight above 0 of the prompt too), on a logarithmic scale, one line for each cell. "
         "Formats write different tokens, and other weights count others: compare the course of such losses, not the "
         "height.</p>\n" +
         html_legend(legend) + "<div class=\"charts\">" + charts + "</div>\n</section>\n";
}

std::string cost_section(const json& summary) {
  HtmlTable training({"Cell", HtmlCell("Method", "left"), "Seconds", "Texts/s", "Steps", "Tokens logical",
                      "Tokens executed", "Tokens supervised", "Peak memory"});
  HtmlTable answering({"Cell", "Seconds", "Texts", "Texts/s", "Prompt tokens", "Generated tokens", "Generated/text",
                       "Forward passes", "Tokens/pass", "Drafts accepted"});
  std::vector<BarGroup> lengths;
  const std::vector<Variant> variants = variants_of(summary);
  for (std::size_t v = 0; v < variants.size(); ++v) {
    for (const json* cell : variants[v].cells) {
      const std::string name = string_at(*cell, {"name"});
      const json& train = at_path(*cell, {"train"});
      if (number_at(train, {"seconds"})) {
        training.add_row(
            {name, HtmlCell(string_at(*cell, {"method"}), "left"), fixed(number_at(train, {"seconds"}), 1),
             fixed(number_at(train, {"samples_per_second"}), 2), grouped(number_at(train, {"steps"})),
             grouped(number_at(train, {"tokens", "logical"})), grouped(number_at(train, {"tokens", "executed"})),
             grouped(number_at(train, {"tokens", "supervised"})), memory(number_at(train, {"peak_memory_bytes"}))});
      }
      const json& generate = at_path(*cell, {"generate"});
      if (!number_at(generate, {"seconds"})) continue;
      const auto texts = number_at(generate, {"texts"}), seconds = number_at(generate, {"seconds"});
      const auto tokens_of_text = ratio(number_at(generate, {"generated_tokens"}), texts);
      answering.add_row(
          {name, fixed(seconds, 1), grouped(texts), fixed(ratio(texts, seconds), 2),
           grouped(number_at(generate, {"prompt_tokens"})), grouped(number_at(generate, {"generated_tokens"})),
           fixed(tokens_of_text, 1), grouped(number_at(generate, {"forward_passes"})),
           fixed(ratio(number_at(generate, {"generated_tokens"}), number_at(generate, {"answer_passes"})), 2),
           percent(ratio(number_at(generate, {"accepted_tokens"}), number_at(generate, {"drafted_tokens"})))});
      if (!tokens_of_text) continue;
      lengths.push_back({.label = name,
                         .bars = {{.segments = {{*tokens_of_text, series_style(v),
                                                 fmt::format("{}: {:.1f} tokens a text", name, *tokens_of_text)}},
                                   .low = {},
                                   .high = {},
                                   .text = fixed(tokens_of_text, 1)}}});
    }
  }
  if (training.empty() && answering.empty()) return "";
  std::string html = "<section>\n<h2>Cost</h2>\n";
  if (!training.empty()) {
    html +=
        "<h3>Training</h3>\n<p class=\"soft\">Logical tokens are those of all samples with their prompts, executed the "
        "ones that were computed (a shared prompt once a micro-batch), supervised those of the answers and their "
        "ends.</p>\n" +
        training.str();
  }
  if (!answering.empty()) html += "<h3>Answering</h3>\n" + answering.str();
  const std::vector<std::string> splits = splits_of(summary);
  const HtmlTable prices = price_table(variants, splits.empty() ? "" : splits.front());
  if (!prices.empty()) {
    html +=
        "<h3>Size, hours and price</h3>\n<p class=\"soft\">Parameters of the model, and of them or beside them those "
        "that "
        "were trained; hours of training and answering, of answering alone for free answers beside constrained ones. "
        "The price is that of the GPU hours at telemetry.gpu_hour_price_usd; a point is a hundredth of strict F1, raw "
        "reading.</p>\n" +
        prices.str();
  }
  if (!lengths.empty()) {
    html += fmt::format("<h3>Generated tokens a text</h3>\n<figure>{}</figure>\n",
                        bar_chart(lengths, {.title = "Generated tokens a text", .x_name = "tokens", .x_max = {}}));
  }
  return html + "</section>\n";
}

}  // namespace entune
