#include "trainer/report/example_section.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/input_error.h"
#include "trainer/report/html_report.h"

namespace entune {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ExampleSection : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("examples-" + std::to_string(::getpid()) + "-" +
                                                        testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::vector<std::string>& lines) {
    std::ofstream file(folder_ / "test.jsonl");
    for (const std::string& line : lines) file << line << "\n";
  }

  static json span(int start, int end, const char* label) { return {{"start", start}, {"end", end}, {"label", label}}; }
  static std::string line(const std::string& id, const std::string& text, json gold, json raw) {
    return json({{"id", id}, {"text", text}, {"gold", std::move(gold)}, {"raw", std::move(raw)}}).dump();
  }

  std::filesystem::path folder_;
};

TEST_F(ExampleSection, MarksWhatIsWrongAndLeavesOutWhatIsRight) {
  write({line("right", "Zoë was here", {span(0, 4, "PERSON")}, {span(0, 3, "PERSON")}),  // an edge of white space
         line("wrong", "Zoë & <Tom> at 9", {span(0, 3, "PERSON"), span(7, 10, "PERSON"), span(15, 16, "AGE")},
              {span(0, 3, "PERSON"), span(6, 9, "GPE"), span(12, 900, "AGE")}),
         line("late", "Ann", {span(0, 3, "PERSON")}, json::array())});
  const std::string html = example_section({{"cell <1>", folder_}}, 1);
  EXPECT_THAT(html, HasSubstr("<h3>cell &lt;1&gt;, test, wrong</h3>"));
  EXPECT_THAT(html, HasSubstr("<p class=\"example\"><mark class=\"right\">Zoë<small>PERSON</small></mark> &amp; "
                              "<mark class=\"spurious\">&lt;<small>answer GPE</small></mark>"
                              "<mark class=\"confused\">To<small>gold PERSON, answer GPE</small></mark>"
                              "<mark class=\"missed\">m<small>gold PERSON</small></mark>&gt; "
                              "<mark class=\"spurious\">at <small>answer AGE</small></mark>"
                              "<mark class=\"right\">9<small>AGE</small></mark></p>"));
  EXPECT_THAT(html, AllOf(Not(HasSubstr("was here")), Not(HasSubstr("late")))) << "right ones, and more than asked for";
  EXPECT_THAT(html, HasSubstr("holds personal data"));
  EXPECT_THAT(example_section({{"a", folder_}, {"b", folder_}}, 2), HasSubstr("shows 4 texts"));
}

TEST_F(ExampleSection, ThePageSaysWhetherItHoldsTexts) {
  const json summary = {{"entune", 1}, {"name", "r"}, {"labels", json::array()}, {"cells", json::array()}};
  EXPECT_THAT(html_report(summary), HasSubstr("no text of the corpus"));
  EXPECT_THAT(html_report(summary, "<section>x</section>"),
              AllOf(HasSubstr("<section>x</section>"), HasSubstr("with personal data"), Not(HasSubstr("no text of"))));
}

TEST_F(ExampleSection, AnswersThatAreNotThereOrNoAnswersAreRefusedWithoutTheirText) {
  const auto error = [&](const std::vector<CellAnswers>& cells) -> std::string {
    try {
      example_section(cells, 3);
    } catch (const InputError& refused) {
      return refused.what();
    }
    return "";
  };
  EXPECT_THAT(error({{"a", folder_ / "none"}}), HasSubstr("generation.write_predictions: true"));
  for (const std::string bad : {R"({"id": "a", "text": "Zoe)", R"({"id": "a", "answer": "Zoe"})", R"("Zoe")",
                                R"({"id": "a", "text": "Zoe", "gold": [{"start": "Zoe"}], "raw": []})"}) {
    write({line("a", "Ann", json::array(), json::array()), bad});
    EXPECT_THAT(error({{"a", folder_}}), AllOf(HasSubstr("test.jsonl:2: "), Not(HasSubstr("Zoe")))) << bad;
  }
}

}  // namespace
}  // namespace entune
