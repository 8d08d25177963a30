#include "data/corpus.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

#include "data/code_points.h"
#include "data/input_error.h"
#include "tests/data/corpus/random_example.h"
#include "tests/support/temporary_directory.h"

namespace entune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// The message of the InputError that reading `contents` gives, or "" if it reads.
std::string error_of(const std::string& name, std::string_view contents, ReaderOptions options = {}) {
  const test::TemporaryDirectory folder;
  try {
    read_corpus(folder.write(name, contents), options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

std::vector<Example> read(const std::string& name, std::string_view contents, ReaderOptions options = {}) {
  const test::TemporaryDirectory folder;
  return read_corpus(folder.write(name, contents), options).examples;
}

ReaderOptions conll(const std::string& scheme) {
  ReaderOptions options;
  options.scheme = scheme;
  return options;
}

TEST(CodePointIndex, MapsEveryOffsetOfAMixedText) {
  const std::string text = "Zoë 😀 Ünal";  // 10 code points, 15 bytes
  const CodePointIndex index(text);
  EXPECT_EQ(index.size(), 10);
  EXPECT_EQ(index.byte_offset(10), 15u);
  EXPECT_EQ(index.byte_offset(4), 5u);
  EXPECT_EQ(index.slice(4, 5), "😀");
  EXPECT_EQ(index.code_point(5), 4);
  EXPECT_EQ(index.code_point(6), -1);  // inside the emoji
  EXPECT_EQ(index.code_point(15), 10);
  EXPECT_EQ(index.code_point(16), -1);
  EXPECT_EQ(CodePointIndex("").size(), 0);
}

TEST(CodePointIndex, RefusesWhatIsNotUtf8) {
  for (const char* bad : {"\xFF", "a\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80"}) {
    EXPECT_THROW(CodePointIndex{bad}, InputError) << testing::PrintToString(std::string(bad));
  }
}

TEST(CodePointIndex, IsItsOwnInverseOnArbitraryText) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    const std::string text = random_text(random, 30);
    const CodePointIndex index(text);
    std::string joined;
    for (std::int64_t i = 0; i < index.size(); ++i) {
      EXPECT_EQ(index.code_point(index.byte_offset(i)), i);
      joined += index.slice(i, i + 1);
    }
    EXPECT_EQ(joined, text);
  }
}

TEST(Corpus, JsonlGivesBackWhatWasWritten) {
  Random random(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<Example> examples;
    for (int i = 0; i < 20; ++i)
      examples.push_back(random_example(random, fmt::format("{}-{}", random_text(random, 3), i)));
    const test::TemporaryDirectory folder;
    write_jsonl(folder.path() / "corpus.jsonl", examples);
    EXPECT_EQ(read_corpus(folder.path() / "corpus.jsonl", {}).examples, examples) << "round " << round;
  }
}

TEST(Corpus, WriteSaysWhenItCannot) { EXPECT_THROW(write_jsonl("/nonexistent-folder/corpus.jsonl", {}), InputError); }

TEST(Jsonl, ReadsMembersInCodePoints) {
  const auto examples =
      read("a.jsonl",
           "{\"id\": 7, \"text\": \"Zoë 😀 Ünal\", \"extra\": {\"x\": [1.5]}, \"template_id\": 12, \"entities\": "
           "[{\"start\": 6, \"end\": 10, \"label\": \"PERSON\", \"value\": \"Ünal\"},"
           " {\"start\": 0, \"end\": 3, \"label\": \"PERSON\", \"score\": 1}]}\n"
           "{\"text\": \"\", \"entities\": []}");
  ASSERT_EQ(examples.size(), 2u);
  EXPECT_EQ(examples[0], (Example{"7", "Zoë 😀 Ünal", {{0, 3, "PERSON"}, {6, 10, "PERSON"}}, "12"}));
  EXPECT_EQ(examples[1], (Example{"a:2", "", {}, ""}));
}

TEST(Jsonl, TakesByteOrderMarkCarriageReturnsAndAnEmptyLastLine) {
  const auto examples =
      read("a.jsonl", "\xEF\xBB\xBF{\"text\":\"x\",\"entities\":[]}\r\n{\"text\":\"y\",\"entities\":[]}\r\n\r\n");
  ASSERT_EQ(examples.size(), 2u);
  EXPECT_EQ(examples[1].id, "a:2");
}

TEST(Jsonl, DropsDuplicatesAndMapsLabels) {
  ReaderOptions options;
  options.label_map = {{"PER", "PERSON"}, {"MISC", std::nullopt}};
  const auto examples =
      read("a.jsonl",
           R"({"text":"Ann B","entities":[{"start":0,"end":3,"label":"PER"},{"start":0,"end":3,"label":"PERSON"},)"
           R"({"start":4,"end":5,"label":"MISC"},{"start":0,"end":5,"label":"ORG"}]})",
           options);
  EXPECT_THAT(examples[0].entities, ElementsAre(Entity{0, 3, "PERSON"}, Entity{0, 5, "ORG"}));
}

struct BadLine {
  const char* line;
  const char* reason;
};

TEST(Jsonl, RefusesHostileLinesWithTheirPlaceAndWithoutTheirText) {
  const std::string deep =
      R"({"text":"Secret","entities":[],"x":)" + std::string(100000, '[') + std::string(100000, ']') + "}";
  const std::vector<BadLine> bad_lines = {
      {"", "empty line"},
      {"not json Secret", "syntax error"},
      {R"({"text":"Secret","entities":[]} trailing)", "syntax error"},
      {"{\"text\":\"Secret\xFF\",\"entities\":[]}", "syntax error"},
      {R"({"text":"Secret\ud800","entities":[]})", "syntax error"},
      {R"([1])", "JSON object"},
      {R"({"entities":[]})", "string in \"text\", found nothing"},
      {R"({"text":5,"entities":[]})", "string in \"text\", found an integer"},
      {R"({"text":"Secret"})", "array in \"entities\", found nothing"},
      {R"({"text":"Secret","entities":{}})", "array in \"entities\""},
      {R"({"text":"Secret","entities":[5]})", "JSON object"},
      {R"({"text":"Secret","text":"x","entities":[]})", "duplicate key"},
      {R"({"text":"Secret","entities":[{"start":0,"start":1,"end":2,"label":"A"}]})", "duplicate key"},
      {R"({"text":"Secret","entities":[{"start":-1,"end":2,"label":"A"}]})", "0 <= start < end <= 6"},
      {R"({"text":"Secret","entities":[{"start":2,"end":2,"label":"A"}]})", "0 <= start"},
      {R"({"text":"Secret","entities":[{"start":3,"end":2,"label":"A"}]})", "0 <= start"},
      {R"({"text":"Secret","entities":[{"start":3,"end":7,"label":"A"}]})", "0 <= start"},
      {R"({"text":"Secret","entities":[{"start":1.0,"end":2,"label":"A"}]})", "fraction"},
      {R"({"text":"Secret","entities":[{"start":"1","end":2,"label":"A"}]})", "integer in \"start\""},
      {R"({"text":"Secret","entities":[{"start":0,"end":18446744073709551615,"label":"A"}]})", "out of range"},
      {R"({"text":"Secret","entities":[{"start":0,"end":1e400,"label":"A"}]})", "out of range"},
      {R"({"text":"Secret","entities":[{"start":0,"end":2}]})", "string in \"label\""},
      {R"({"text":"Secret","entities":[{"start":0,"end":2,"label":""}]})", "label"},
      {R"({"text":"Secret","entities":[{"start":0,"end":2,"label":"A","value":"Secre"}]})", "equal the entity's value"},
      {R"({"text":"Secret","entities":[{"start":0,"end":2,"label":"A","value":3}]})", "string in \"value\""},
      {R"({"text":"a  Secret","entities":[{"start":1,"end":3,"label":"A"}]})", "white space only"},
      {R"({"text":"Secret","entities":[],"id":""})", "id of at least one character"},
      {R"({"text":"Secret","entities":[],"id":[]})", "string or an integer in \"id\""},
      {R"({"text":"Secret","entities":[],"template_id":1.5})", "\"template_id\""},
      {R"({"text":"Secret","entities":[],"id":"first"})", "id of line 1"},
      {deep.c_str(), "levels"},
  };
  for (const BadLine& bad : bad_lines) {
    const std::string file = fmt::format("{}\n{}\n{}\n", R"({"id":"first","text":"x","entities":[]})", bad.line,
                                         R"({"text":"x","entities":[]})");
    const std::string message = error_of("bad.jsonl", file);
    EXPECT_THAT(message, HasSubstr(bad.reason)) << bad.line;
    EXPECT_THAT(message, HasSubstr("bad.jsonl:2: ")) << bad.line;
    EXPECT_THAT(message, Not(HasSubstr("Secre"))) << bad.line;
  }
}

TEST(Jsonl, RefusesALineOverTheCap) {
  const std::string message =
      error_of("a.jsonl", R"({"text":")" + std::string((std::size_t{16} << 20) + 1, 'x') + R"(","entities":[]})");
  EXPECT_THAT(message, HasSubstr(":1: "));
  EXPECT_THAT(message, HasSubstr("16777216 bytes"));
}

TEST(Jsonl, NamesTheUnitThatOffsetsSeemToCount) {
  const auto message = [](const char* text, int start, int end, const char* value) {
    const char* line = R"({{"text":"{}","entities":[{{"start":{},"end":{},"label":"P","value":"{}"}}]}})";
    return error_of("a.jsonl", fmt::format(fmt::runtime(line), text, start, end, value));
  };
  EXPECT_THAT(message("Zoë Ünal", 5, 8, "Ün"), HasSubstr("UTF-8 bytes"));
  EXPECT_THAT(message("😀 Ünal", 3, 4, "Ü"), HasSubstr("UTF-16 units"));
  EXPECT_THAT(message("Zoë Ünal", 1, 2, "x"), Not(HasSubstr("count")));
}

TEST(Jsonl, SkipsAndCountsUpToTheCap) {
  const std::string file = R"({"text":"a","entities":[]})"
                           "\nbad\n"
                           R"({"text":"b","entities":[{"start":0,"end":9,"label":"A"}]})"
                           "\n"
                           R"({"text":"c","entities":[]})"
                           "\n";
  const test::TemporaryDirectory folder;
  const auto path = folder.write("a.jsonl", file);
  ReaderOptions options;
  options.on_bad_sample = OnBadSample::skip;
  options.max_skipped = 2;
  const Corpus corpus = read_corpus(path, options);
  EXPECT_EQ(corpus.num_skipped, 2);
  EXPECT_THAT(corpus.skipped, ElementsAre(HasSubstr("a.jsonl:2: "), HasSubstr("a.jsonl:3: ")));
  ASSERT_EQ(corpus.examples.size(), 2u);
  EXPECT_EQ(corpus.examples[1].id, "a:4");
  EXPECT_THAT(corpus.lines, ElementsAre(1, 4));

  options.max_skipped = 1;
  const std::string message = error_of("a.jsonl", file, options);
  EXPECT_THAT(message, HasSubstr("at most 1 bad samples"));
  EXPECT_THAT(message, HasSubstr("found 2"));
  EXPECT_THAT(message, HasSubstr("a.jsonl:2: "));
}

TEST(Corpus, SaysHowManyWereSkippedWhereNoneIsLeft) {
  ReaderOptions options;
  options.on_bad_sample = OnBadSample::skip;
  options.max_skipped = 100;
  const std::string message = error_of("a.conll", "Ada PERSON\n\nran\n\n", options);
  EXPECT_THAT(message, HasSubstr("expected at least one good sample, found 2 bad ones, all skipped"));
  EXPECT_THAT(message, HasSubstr("a.conll:1: "));
}

TEST(Corpus, RefusesFilesThatAreNone) {
  EXPECT_THAT(error_of("a.jsonl", ""), HasSubstr("at least one sample"));
  EXPECT_THAT(error_of("a.csv", "x"), HasSubstr("suffix"));
  ReaderOptions options;
  options.reader = "xlsx";
  EXPECT_THAT(error_of("a.jsonl", "x", options), HasSubstr("'xlsx'"));
  EXPECT_THROW(read_corpus("/nonexistent.jsonl", {}), InputError);
  EXPECT_THROW(read_corpus(std::filesystem::temp_directory_path(), {}), InputError);
}

constexpr std::string_view kPresidio = R"([
  {
    "full_text": "Ann at x]{\"\\",
    "masked": "{{PERSON}}",
    "spans": [
      {"entity_type": "CODE", "entity_value": "x]{\"\\", "start_position": 7, "end_position": 12},
      {"entity_type": "PERSON", "entity_value": "Ann", "start_position": 0, "end_position": 3}
    ],
    "template_id": 3, "metadata": null
  },
  {"full_text": "none", "spans": [], "template_id": 4}, {"full_text": "also none", "spans": []}
]
)";

TEST(Presidio, ReadsSamplesWithTheirLines) {
  const auto examples = read("p.json", kPresidio);
  ASSERT_EQ(examples.size(), 3u);
  EXPECT_EQ(examples[0], (Example{"p:2", "Ann at x]{\"\\", {{0, 3, "PERSON"}, {7, 12, "CODE"}}, "3"}));
  EXPECT_EQ(examples[1].id, "p:11");
  EXPECT_EQ(examples[2], (Example{"p:11.2", "also none", {}, ""}));
}

TEST(Presidio, NamesTheLineOfABadSampleAndOfASyntaxError) {
  EXPECT_THAT(error_of("p.json", "[\n {\"full_text\": \"a\", \"spans\": []},\n {\"full_text\": \"b\"}\n]"),
              HasSubstr("p.json:3: "));
  EXPECT_THAT(error_of("p.json", "[\n {\"full_text\": \"a\",\n  \"spans\": nil}\n]"), HasSubstr("p.json:3: "));
  EXPECT_THAT(error_of("p.json", "[\n {\"full_text\": \"a\", \"spans\": [}]\n"), HasSubstr("p.json:"));
}

TEST(Presidio, RefusesABrokenArrayEvenWhenSkipping) {
  ReaderOptions options;
  options.on_bad_sample = OnBadSample::skip;
  options.max_skipped = 100;
  const std::string good = R"({"full_text":"a","spans":[]})";
  for (const std::string& file :
       {std::string("{}"), "[" + good, "[" + good + ",", "[" + good + ",]", "[" + good + "] x",
        "[" + good + " " + good + "]", std::string("[,]"), "[" + good + ",\n{\"a\": \"]"}) {
    EXPECT_THAT(error_of("p.json", file, options), HasSubstr("p.json:")) << file;
  }
}

TEST(Presidio, ReadsTheReferenceSet) {
  const std::filesystem::path path =
      std::filesystem::path(ENTUNE_SOURCE_DIR) / "../shared/data/presidio_synth_v2/synth_dataset_v2.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "../shared/data/presidio_synth_v2 is not there";
  const Corpus corpus = read_corpus(path, {});
  std::size_t entities = 0;
  std::set<std::string> groups;
  for (const Example& example : corpus.examples) {
    entities += example.entities.size();
    groups.insert(example.group);
  }
  EXPECT_EQ(corpus.examples.size(), 1500u);
  EXPECT_EQ(entities, 2863u);
  EXPECT_EQ(groups.size(), 209u);
}

/// The same three entities, two of one label side by side, in each scheme.
TEST(Conll, SchemesAreEquivalent) {
  const std::vector<Entity> expected = {{0, 8, "PER"}, {9, 12, "PER"}, {15, 16, "LOC"}};
  const auto iob1 =
      read("a.conll", "Ann x x I-PER\nLee1 x x I-PER\nBob x x B-PER\nx x x O\nY x x I-LOC\n", conll("iob1"));
  const auto iob2 = read("a.conll", "Ann\tB-PER\nLee1\tI-PER\nBob\tB-PER\nx\tO\nY\tB-LOC\n", conll("iob2"));
  const auto bioes = read("a.conll", "Ann B-PER\nLee1 E-PER\nBob S-PER\nx O\nY S-LOC\n", conll("bioes"));
  for (const auto& examples : {iob1, iob2, bioes}) {
    ASSERT_EQ(examples.size(), 1u);
    EXPECT_EQ(examples[0].text, "Ann Lee1 Bob x Y");
    EXPECT_EQ(examples[0].entities, expected);
    EXPECT_EQ(examples[0].id, "a:1");
  }
}

/// Random token sequences written in every scheme read back as the same entities.
TEST(Conll, SchemesAreEquivalentOnRandomSentences) {
  Random random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::pair<std::int64_t, std::string>> runs;  // length and label ("" outside)
    for (std::int64_t i = random.between(1, 8); i > 0; --i) {
      runs.emplace_back(random.between(1, 3), random.chance(0.4) ? "" : random.chance(0.5) ? "A" : "B-C");
    }
    std::map<std::string, std::string> files;
    std::vector<Entity> expected;
    std::int64_t position = 0;
    std::string before;
    for (const auto& [length, label] : runs) {
      if (!label.empty()) expected.push_back({position, position + 3 * length - 1, label});
      for (std::int64_t i = 0; i < length; ++i) {
        const bool first = i == 0;
        const bool last = i + 1 == length;
        const auto add = [&](const std::string& scheme, const char* prefix) {
          files[scheme] += label.empty() ? "äß O\n" : fmt::format("äß {}-{}\n", prefix, label);
        };
        add("iob1", first && before == label ? "B" : "I");
        add("iob2", first ? "B" : "I");
        add("bioes", first && last ? "S" : first ? "B" : last ? "E" : "I");
      }
      position += 3 * length;
      before = label;
    }
    for (const auto& [scheme, file] : files) {
      EXPECT_EQ(read("a.conll", file, conll(scheme)).at(0).entities, expected) << scheme << "\n" << file;
    }
  }
}

TEST(Conll, EndsSentencesAtBlankLinesAndDocumentMarks) {
  const auto examples = read("a.txt", "-DOCSTART- -X- O\r\n\r\n\r\nZoë O\r\n😀 B-A\r\n-DOCSTART- O\nx O\n \t\ny O");
  ASSERT_EQ(examples.size(), 3u);
  EXPECT_EQ(examples[0], (Example{"a:4", "Zoë 😀", {{4, 5, "A"}}, ""}));
  EXPECT_EQ(examples[1].id, "a:7");
  EXPECT_EQ(examples[2].text, "y");
}

TEST(Conll, RefusesImpossibleTags) {
  const std::vector<std::tuple<const char*, const char*, int>> bad_files = {{"iob2", "a O\nb I-A\n", 2},
                                                                            {"iob2", "a B-A\nb I-B\n", 2},
                                                                            {"iob2", "a E-A\n", 1},
                                                                            {"iob2", "a B-\n", 1},
                                                                            {"iob2", "a BA\n", 1},
                                                                            {"iob2", "a o\n", 1},
                                                                            {"iob2", "a\n", 1},
                                                                            {"iob2", "a O\n\nb\xFF O\n", 3},
                                                                            {"iob1", "a B-A\n", 1},
                                                                            {"iob1", "a O\nb B-A\n", 2},
                                                                            {"iob1", "a I-A\nb B-B\n", 2},
                                                                            {"iob1", "a S-A\n", 1},
                                                                            {"bioes", "a B-A\nb O\n", 2},
                                                                            {"bioes", "a B-A\n\nb O\n", 1},
                                                                            {"bioes", "a B-A\nb S-A\n", 2},
                                                                            {"bioes", "a E-A\n", 1},
                                                                            {"bioes", "a O\nb I-A\nc E-A\n", 2},
                                                                            {"bioes", "a B-A\nb E-B\n", 2},
                                                                            {"bioes", "a S-A\nb E-A\n", 2},
                                                                            {"bioes", "a B-A\nb E-A\nc I-A\n", 3},
                                                                            {"iob2", "\tO\n", 1},
                                                                            {"bioes", "a B-A\nb B-A\nc E-A\n", 2},
                                                                            {"bio", "a O\n", 0}};
  for (const auto& [scheme, file, line] : bad_files) {
    const std::string message = error_of("a.conll", file, conll(scheme));
    EXPECT_THAT(message, HasSubstr(line == 0 ? std::string("'bio'") : fmt::format("a.conll:{}: ", line)))
        << scheme << "\n"
        << file;
  }
}

TEST(Conll, SkipsTheRestOfABadSentenceOnly) {
  ReaderOptions options;
  options.on_bad_sample = OnBadSample::skip;
  options.max_skipped = 1;
  const auto examples = read("a.conll", "a O\nb I-A\nc I-A\nd I-A\n\ne B-A\n", options);
  ASSERT_EQ(examples.size(), 1u);
  EXPECT_EQ(examples[0].text, "e");
}

TEST(Conll, ReadsTheReferenceSet) {
  const std::filesystem::path path =
      std::filesystem::path(ENTUNE_SOURCE_DIR) / "../shared/data/wnut17/wnut17train.conll";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "../shared/data/wnut17 is not there";
  const Corpus corpus = read_corpus(path, {});
  std::size_t entities = 0;
  for (const Example& example : corpus.examples) entities += example.entities.size();
  EXPECT_EQ(corpus.examples.size(), 3394u);
  EXPECT_EQ(entities, 1975u);
}

/// Whatever the bytes: a corpus or an InputError, nothing else.
TEST(Readers, SurviveDamagedFiles) {
  const std::string jsonl =
      R"({"id":"a","text":"Ann 😀 \u00e4","entities":[{"start":0,"end":3,"label":"P","value":"Ann"}]})"
      "\n";
  const std::string tags = "Ann B-P\nx I-P\n\ny O\n";
  Random random(11);
  for (const auto& [name, file] :
       {std::pair{"a.jsonl", jsonl + jsonl}, {"a.json", std::string(kPresidio)}, {"a.conll", tags}}) {
    for (int round = 0; round < 400; ++round) {
      std::string damaged = file;
      for (std::int64_t i = random.between(1, 4); i > 0 && !damaged.empty(); --i) {
        const auto at = static_cast<std::size_t>(random.below(static_cast<std::int64_t>(damaged.size())));
        if (random.chance(0.5)) {
          damaged[at] = static_cast<char>(random.below(256));
        } else if (random.chance(0.5)) {
          damaged.erase(at, 1);
        } else {
          damaged.resize(at + 1);
        }
      }
      ReaderOptions options;
      options.on_bad_sample = random.chance(0.5) ? OnBadSample::skip : OnBadSample::fail;
      options.max_skipped = 100;
      const test::TemporaryDirectory folder;
      try {
        const Corpus corpus = read_corpus(folder.write(name, damaged), options);
        for (const Example& example : corpus.examples) {
          const CodePointIndex index(example.text);
          for (const Entity& entity : example.entities) EXPECT_LE(entity.end, index.size());
        }
      } catch (const InputError& error) {
        EXPECT_THAT(error.what(), HasSubstr(name));
      }
    }
  }
}

}  // namespace
}  // namespace entune
