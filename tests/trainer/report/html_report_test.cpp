#include "trainer/report/html_report.h"

#include <gmock/gmock.h>

#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "data/deidentify/safe_harbor.h"
#include "data/scoring/score_report.h"
#include "trainer/report/bar_chart.h"
#include "trainer/report/chart_axis.h"
#include "trainer/report/comparison_table.h"
#include "trainer/report/html_text.h"
#include "trainer/report/line_chart.h"
#include "trainer/report/text_table.h"

namespace entune {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kHostile = "<script>alert('1')</script>&\"\x1b[31m";

/// Scores of two texts, one right and one off by one though its value is right, as the study writes them.
json scores() {
  std::vector<DocumentScore> documents;
  for (int i = 0; i < 2; ++i) {
    const Example gold{.id = std::to_string(i), .text = "abcdef", .entities = {{0, 2, "PERSON"}}, .group = ""};
    ParsedAnswer answer;
    answer.mentions.push_back({"ab", "PERSON", Entity{i, i + 2, "PERSON"}, Entity{0, 2, "PERSON"}});
    documents.push_back(score_document(gold, answer, false));
  }
  return score_report(documents, {{"PERSON", "a name"}, {"UNSEEN", "none"}}, {.bootstrap_samples = 20});
}

json cell(const std::string& name, const std::string& format, int seed) {
  return {{"name", name},
          {"format", format},
          {"seed", seed},
          {"method", "lora"},
          {"overrides", {{"task.format", format}, {"seed", seed}}},
          {"train",
           {{"seconds", 12.5},
            {"samples_per_second", 4.25},
            {"steps", 2},
            {"tokens", {{"logical", 123456}, {"executed", 4000}, {"supervised", 700}}},
            {"losses", {{{"step", 1}, {"loss", 2.0}}, {{"step", 2}, {"loss", 1.0}}}},
            {"validation", {{{"step", 2}, {"loss", 1.5}, {"strict_f1", 0.5}}}}}},
          {"generate", {{"seconds", 2.0}, {"texts", 2}, {"generated_tokens", 31}, {"prompt_tokens", 50}}},
          {"model", {{"path", "models/" + name.substr(0, 1)}, {"parameters", 134515008}, {"trained", 4884480}}},
          {"cost", {{"ranks", 2}, {"hours", 0.5}, {"gpu_hours", 1.0}, {"usd", 2.5}}},
          {"scores", {{"test", scores()}}}};
}

json summary(const std::vector<json>& cells) {
  return {{"entune", 1},
          {"name", "study"},
          {"recipe", "name: study\n"},
          {"labels", {{{"name", "PERSON"}, {"description", "a name"}}, {{"name", "UNSEEN"}, {"description", "none"}}}},
          {"ranks", 2},
          {"cells", cells},
          {"comparisons",
           {{{"a", "x1"},
             {"b", "j1"},
             {"split", "test"},
             {"metric", "strict_f1"},
             {"reading", "raw"},
             {"difference", 0.25},
             {"low", 0.1},
             {"high", 0.4},
             {"p_value", 0.01},
             {"p_holm", 0.02}}}},
          {"corpus", {{"train", 8}, {"test", 2}, {"left_out", {{"bio: inside a word", 7}}}}}};
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(HtmlReport, HasEveryPart) {
  const std::string html = html_report(summary({cell("x1", "xml", 1), cell("j1", "json", 1)}));
  for (const char* part :
       {"Scores on test", "Comparisons", "Errors by kind", "Right value, wrong place", "<h3>Labels</h3>",
        "What would stay readable", "Health of the answers", "Training loss", "Validation loss", "Validation strict F1",
        "<h2>Cost</h2>", "<h2>Corpus</h2>", "bio: inside a word", "name: study", "A is better", "123\u202F456"}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
  // PERSON: two gold characters a text, one of the second text's not covered as answered, none when repaired.
  EXPECT_THAT(html, HasSubstr("<td>PERSON</td><td>4</td><td>25.0 %</td><td>0.0 %</td><td>25.0 %</td>"));
  EXPECT_THAT(html, HasSubstr("USD a point of F1"));
  EXPECT_THAT(html, HasSubstr("0.050")) << "2.50 for an F1 of 0.5";
  EXPECT_EQ(count(html, "<tr"), count(html, "</tr>"));
  EXPECT_EQ(count(html, "<svg"), 6u) << "F1, errors, three curves, generated tokens";
}

TEST(HtmlReport, CoverageOfTheLabelsEndsWithWhatItIsNot) {
  json covered = summary({cell("x1", "xml", 1)});
  EXPECT_THAT(html_report(covered), Not(HasSubstr("Safe Harbor"))) << "summaries of older runs have none";
  covered["coverage"] = to_json(safe_harbor_coverage({{"PERSON", ""}, {"<b>", ""}}));
  const std::string html = html_report(covered);
  EXPECT_THAT(html, AllOf(HasSubstr("(A) names"), HasSubstr("In no class by their names: &lt;b&gt;."),
                          HasSubstr("</div>\n<p class=\"soft\">This compares names of labels")));
}

TEST(HtmlReport, LoadsNothingAndRunsNothing) {
  const std::string html = html_report(summary({cell("x1", "xml", 1)}));
  for (const char* part : {"<script", "http:", "https:", "src=", "@import", "url("})
    EXPECT_THAT(html, Not(HasSubstr(part)));
}

TEST(HtmlReport, EscapesHostileNames) {
  json hostile = summary({cell("x1", "xml", 1)});
  const std::function<void(json&)> poison = [&](json& value) {
    if (value.is_string() && value != "test") {
      value = kHostile;
    } else if (value.is_array()) {
      for (json& member : value) poison(member);
    } else if (value.is_object()) {
      json renamed = json::object();
      for (auto& [key, member] : value.items()) {
        poison(member);
        renamed[key] = member;
      }
      if (value.contains("bio: inside a word")) renamed[kHostile] = 1;
      value = renamed;
    }
  };
  poison(hostile);
  hostile["cells"][0]["scores"][kHostile] = hostile["cells"][0]["scores"]["test"];
  const std::string html = html_report(hostile);
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("alert('")));
  EXPECT_THAT(html, Not(HasSubstr("\x1b")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(comparison_table(hostile), AllOf(Not(HasSubstr("\x1b")), HasSubstr("script")));
}

TEST(HtmlReport, SecondaryScoresAndSizes) {
  json first = cell("x1", "xml", 1);
  first["scores"]["test"]["raw"]["trim_punct"]["f1"] = 0.8125;
  first["scores"]["test"]["health"]["copy_cer"] = 0.0625;
  const std::string html = html_report(summary({first, cell("x2", "xml", 2), cell("j1", "json", 1)}));
  EXPECT_THAT(html, AllOf(HasSubstr("F1 trimmed"), HasSubstr("0.812")));
  EXPECT_THAT(html, AllOf(HasSubstr("Copy: character error rate"), HasSubstr("6.2")));
  EXPECT_THAT(html, AllOf(HasSubstr("134\u202F515\u202F008"), HasSubstr("4\u202F884\u202F480")));
  EXPECT_THAT(html, HasSubstr("Models models/x, models/j"));
}

TEST(HtmlReport, CellsOfSeveralSeedsGetAMeanRow) {
  json second = cell("x2", "xml", 2);
  second["scores"]["test"]["raw"]["strict"]["f1"] = 0.7;  // the first has 0.5: mean 0.6, deviation 0.1 sqrt 2
  const json study = summary({cell("x1", "xml", 1), second, cell("j1", "json", 1)});
  EXPECT_THAT(html_report(study), AllOf(HasSubstr("xml: mean ± sd of 2 seeds"), HasSubstr("0.600 ± 0.141")));
  EXPECT_THAT(comparison_table(study), AllOf(HasSubstr("xml: mean of 2 seeds"), HasSubstr("0.600 ± 0.141")));
}

TEST(HtmlReport, PartsThatAreAbsentOrNullAreLeftOut) {
  EXPECT_THAT(html_report(summary({})), Not(HasSubstr("Scores on")));
  EXPECT_THAT(html_report({{"entune", 1}}), HasSubstr("</html>"));
  const json bare = {{"name", "p"}, {"scores", {{"test", {{"raw", {{"strict", {{"f1", nullptr}}}}}}}}}};
  const std::string html = html_report(summary({bare}));
  EXPECT_THAT(html, HasSubstr("–"));
  EXPECT_THAT(html, Not(HasSubstr("<h2>Cost</h2>")));
  EXPECT_THAT(html, Not(HasSubstr("nan")));
  EXPECT_THAT(comparison_table(summary({bare})), HasSubstr("–"));
}

TEST(HtmlReport, FortyCells) {
  std::vector<json> cells;
  for (int i = 0; i < 40; ++i) cells.push_back(cell("cell-" + std::to_string(i), "format" + std::to_string(i), 1));
  const std::string html = html_report(summary(cells));
  EXPECT_THAT(html, HasSubstr("cell-39"));
  EXPECT_LT(html.size(), 600'000u);
}

TEST(ComparisonTable, RowsByHand) {
  const std::string table = comparison_table(summary({cell("x1", "xml", 1)}));
  // Raw: one right, one off by one. Repaired: both right. One value right at a wrong offset.
  EXPECT_THAT(
      table, testing::ContainsRegex("x1 +0\\.500  0\\.500 .*0\\.500 \\[0\\.000, 1\\.000\\] +1\\.000  0\\.500 +0\\.750  "
                                    "1\\.000 +100\\.0 % +1 +12\\.5 +4\\.25 +31"));
  EXPECT_THAT(table, testing::ContainsRegex(
                         "x1 − j1 +strict_f1 +raw +\\+0\\.250 \\[\\+0\\.100, \\+0\\.400\\]  0\\.0100  0\\.0200 \\*"));
}

TEST(TextTable, AlignsByWidthOnTheScreen) {
  EXPECT_EQ(display_width("ab"), 2u);
  EXPECT_EQ(display_width("日本"), 4u);
  EXPECT_EQ(display_width("e\u0301"), 1u);
  EXPECT_EQ(display_width("😀"), 2u);
  EXPECT_EQ(one_line("a\nb\x1b[0m\u202Ec\xFF"), "a\uFFFDb\uFFFD[0m\uFFFDc\uFFFD");
  TextTable table({"n", "v"});
  table.add_row({"日本", "1"});
  table.add_row({"é", "22"});
  EXPECT_EQ(table.str(), "n      v\n────────\n日本   1\né     22\n");
}

TEST(ChartAxis, RoundTicks) {
  EXPECT_THAT(ChartAxis(0, 1, 0, 100).ticks(), ElementsAre(0.0, 0.2, 0.4, testing::DoubleNear(0.6, 1e-12), 0.8, 1.0));
  EXPECT_THAT(ChartAxis(3, 47, 0, 100).ticks(), ElementsAre(10, 20, 30, 40));
  EXPECT_THAT(ChartAxis(0.15, 3, 0, 100, true).ticks(), ElementsAre(0.2, 0.5, 1, 2));
  EXPECT_DOUBLE_EQ(ChartAxis(0, 10, 50, 150).pixel(2.5), 75);
  EXPECT_DOUBLE_EQ(ChartAxis(1, 100, 0, 100, true).pixel(10), 50);
  EXPECT_DOUBLE_EQ(ChartAxis(0, 1, 0, 100).pixel(7), 100) << "nothing leaves the frame";
  EXPECT_FALSE(ChartAxis(5, 5, 0, 100).ticks().empty());
  EXPECT_EQ(tick_text(12000), "12k");
  EXPECT_EQ(tick_text(0.05), "0.05");
  EXPECT_EQ(tick_text(2.5e6), "2.5M");
}

TEST(LineChart, PointsAreDrawnInPlaceAndLeftOutWhereNotFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::string svg =
      line_chart({{.name = "c", .style = "series-0", .points = {{0, 1}, {1, nan}, {10, 0}}, .markers = true}},
                 {.title = "t", .x_name = "x", .y_name = "y"});
  EXPECT_THAT(svg, HasSubstr("<path d='M52.0 22.2L468.0 228.0'>"));
  EXPECT_EQ(count(svg, "<circle"), 2u);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_EQ(line_chart({{.name = "c", .style = "", .points = {{0, nan}}}}, {}), "");
}

TEST(LineChart, LongLinesAreThinned) {
  LineSeries series{.name = "c", .style = "series-0", .points = {}};
  for (int i = 0; i < 100000; ++i) series.points.emplace_back(i, 2.0);
  EXPECT_LT(line_chart({series}, {.title = "t", .x_name = "x", .y_name = "y"}).size(), 8000u);
}

TEST(BarChart, StretchesEndToEndWithTheInterval) {
  const Bar bar{
      .segments = {{0.25, "kind-missed", "m"}, {0.25, "kind-type", "t"}}, .low = 0.4, .high = 0.6, .text = "0.5"};
  const std::string svg = bar_chart({{.label = "c", .bars = {bar}}}, {.title = "t", .x_name = "x", .x_max = 1.0});
  // The axis runs from 70 to 610.
  EXPECT_THAT(svg, AllOf(HasSubstr("class='kind-missed' x='70.0'"), HasSubstr("class='kind-type' x='205.0'")));
  EXPECT_EQ(count(svg, "width='135.0'"), 2u);
  EXPECT_THAT(svg, HasSubstr("d='M286.0"));
  EXPECT_EQ(bar_chart({}, {}), "");
}

TEST(BarChart, LongLabelsAreCut) {
  const std::string label(200, 'w');
  const std::string svg = bar_chart(
      {{.label = label, .bars = {{.segments = {{1, "series-0", ""}}, .low = {}, .high = {}, .text = ""}}}}, {});
  EXPECT_THAT(svg, AllOf(HasSubstr("w…<title>"), HasSubstr("<title>" + label)));
}

TEST(HtmlText, Escapes) {
  EXPECT_EQ(html_escaped("<a href=\"x\">'&'</a>"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
  const std::string with_null("a\0b", 3);
  EXPECT_EQ(html_escaped(with_null + "\x1b\n\xFF"), "a\uFFFDb\uFFFD\n\uFFFD");
}

}  // namespace
}  // namespace entune
