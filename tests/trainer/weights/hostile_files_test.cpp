// Model directories that are damaged or made to do harm. Each is refused with one line that names the file, what was
// expected and what was found; nothing is written, nothing outside the directory is read, and no size is believed before
// it has been checked.

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>

#include "tests/support/temporary_directory.h"
#include "trainer/weights/hugging_face.h"

namespace entune {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kWeights = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr const char* kNorm = "model.norm.weight";
constexpr const char* kUp = "model.layers.0.mlp.up_proj.weight";

LlamaConfig tiny_config() {
  LlamaConfig config;
  config.vocab_size = 10;
  config.hidden_size = 8;
  config.intermediate_size = 12;
  config.num_layers = 1;
  config.num_heads = 2;
  config.num_kv_heads = 1;
  config.head_dim = 4;
  config.eos_token_ids = {2};
  return config;
}

/// A directory that loads, to be damaged.
class Directory {
 public:
  Directory() {
    const auto self = make_self_communicator();
    DecoderModel model(tiny_config(), {}, *self);
    model.initialize_random(1);
    save_hugging_face(path(), model, {}, *self);
  }

  std::filesystem::path path() const { return folder_ / "model"; }
  std::string text(const char* file) const { return test::read_file(path() / file); }
  void write(const std::string& file, const std::string& bytes) const { test::write_file(path() / file, bytes); }

  void change_json(const char* file, const std::function<void(json&)>& change) const {
    json content = json::parse(text(file));
    change(content);
    write(file, content.dump());
  }
  /// Damages the header of the weights; the data stays, with `more` bytes behind it.
  void change_header(const std::function<void(json&)>& change, std::size_t more = 0) const {
    const std::string bytes = text(kWeights);
    std::uint64_t size = 0;
    std::memcpy(&size, bytes.data(), sizeof size);
    json header = json::parse(bytes.substr(8, size));
    change(header);
    write_header(header.dump(), bytes.substr(8 + size) + std::string(more, 'x'));
  }
  void write_header(const std::string& header, const std::string& data = "") const {
    write(kWeights, test::bytes_of<std::uint64_t>(header.size()) + header + data);
  }
  /// Lets an index say that the weights lie in `file`.
  void add_index(const json& file, const std::function<void(json&)>& change = {}) const {
    json index = {{"metadata", {{"total_size", 1}}}, {"weight_map", json::object()}};
    const auto self = make_self_communicator();
    DecoderModel model(tiny_config(), {}, *self);
    for (const Parameter& parameter : model.parameters()) index["weight_map"][parameter.name] = file;
    if (change) change(index);
    write(kIndex, index.dump());
    std::filesystem::rename(path() / kWeights, path() / "part.safetensors");
  }

  std::string error() const {
    return test::input_error_of([&] {
      const auto self = make_self_communicator();
      DecoderModel model(read_llama_config(path()), {}, *self);
      load_hugging_face_weights(path(), model);
    });
  }

 private:
  test::TemporaryDirectory folder_;
};

struct Damage {
  const char* name;
  std::function<void(const Directory&)> apply;
  const char* file;     ///< the file that the error begins with
  const char* message;  ///< a part of it
};

void set(json& object, const json& value) { object = value; }

/// Of the weights' entry for a tensor.
Damage entry(const char* name, const char* tensor, const char* key, const json& value, const char* message) {
  return {name, [=](const Directory& d) { d.change_header([&](json& h) { set(h[tensor][key], value); }); }, kWeights,
          message};
}
Damage config(const char* name, const char* key, const json& value, const char* message) {
  return {name, [=](const Directory& d) { d.change_json("config.json", [&](json& c) { set(c[key], value); }); },
          "config.json", message};
}
Damage index(const char* name, const json& file, const char* message) {
  return {name, [=](const Directory& d) { d.add_index(file); }, kIndex, message};
}

const std::vector<Damage>& damages() {
  static const std::vector<Damage> kDamages = {
      // safetensors: its length
      {"NoBytes", [](const Directory& d) { d.write(kWeights, ""); }, kWeights, "found 0 bytes"},
      {"SevenBytes", [](const Directory& d) { d.write(kWeights, "1234567"); }, kWeights, "found 7 bytes"},
      {"LengthOfHalfTheAddressSpace",
       [](const Directory& d) { d.write(kWeights, test::bytes_of<std::uint64_t>(1ULL << 63) + "{}"); }, kWeights,
       "found a length of 9223372036854775808"},
      {"LengthAboveTheCap",
       [](const Directory& d) { d.write(kWeights, test::bytes_of<std::uint64_t>(100'000'001) + "{}"); }, kWeights,
       "found a length of 100000001"},
      {"LengthBeyondTheFile", [](const Directory& d) { d.write(kWeights, test::bytes_of<std::uint64_t>(3) + "{}"); },
       kWeights, "found a length of 3"},
      // its header
      {"NoHeader", [](const Directory& d) { d.write_header(""); }, kWeights, "begins with '{'"},
      {"HeaderIsAList", [](const Directory& d) { d.write_header("[]"); }, kWeights, "begins with '{'"},
      {"HeaderIsBroken", [](const Directory& d) { d.write_header("{\"a\":"); }, kWeights, "error at byte"},
      {"HeaderIsDeep", [](const Directory& d) { d.write_header("{\"a\":" + std::string(200'000, '[')); }, kWeights,
       "an array where it does not belong"},
      {"TensorTwice",
       [](const Directory& d) {
         const std::string one = R"("a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
         d.write_header("{" + one + "," + one + "}");
       },
       kWeights, "'a' twice"},
      {"NameIsAPath",
       [](const Directory& d) { d.write_header(R"({"../a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})"); },
       kWeights, "expected tensor names"},
      {"NameIsLong",
       [](const Directory& d) {
         d.write_header("{\"" + std::string(300, 'a') + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})");
       },
       kWeights, "found one of 300 bytes"},
      {"MetadataHoldsANumber", [](const Directory& d) { d.write_header(R"({"__metadata__":{"a\nb":1}})"); }, kWeights,
       "a number where it does not belong"},
      {"EntryHasAnotherKey", [](const Directory& d) { d.change_header([](json& h) { h[kNorm]["stride"] = 1; }); },
       kWeights, "found another key"},
      {"EntryHasNoShape", [](const Directory& d) { d.change_header([](json& h) { h[kNorm].erase("shape"); }); },
       kWeights, "found 2 of them"},
      entry("UnknownDtype", kNorm, "dtype", "F13", "expected a dtype"),
      entry("IntegersForWeights", kNorm, "dtype", "I32", "found I32"),
      entry("NegativeSize", kNorm, "shape", {-8}, "a negative number"),
      entry("FractionalSize", kNorm, "shape", {7.5}, "not an integer"),
      entry("NineDimensions", kNorm, "shape", {1, 1, 1, 1, 1, 1, 1, 1, 8}, "at most 8 dimensions"),
      entry("SizeOverflows", kNorm, "shape", {4294967296, 4294967296}, "overflows"),
      entry("SizeAbove63Bits", kNorm, "shape", {18446744073709551615ULL}, "above 2^63"),
      entry("ShapeIsNotTheSize", kNorm, "shape", {9}, "expected 36 bytes by dtype and shape"),
      entry("AnotherShapeOfThatSize", kUp, "shape", {8, 12}, "expected shape [12, 8] by the configuration"),
      entry("OffsetsRunBackwards", kNorm, "data_offsets", {32, 0}, "data_offsets [32, 0)"),
      entry("ThreeOffsets", kNorm, "data_offsets", {0, 32, 64}, "does not belong"),
      {"OffsetsBeyondTheFile",
       [](const Directory& d) {
         d.change_header([](json& h) {
           h[kNorm]["data_offsets"] = {1'000'000'000'000, 1'000'000'000'032};
         });
       },
       kWeights, "tensors overlap or leave a hole"},
      {"TwoOnTheSameBytes",
       [](const Directory& d) {
         d.change_header([](json& h) { h[kNorm]["data_offsets"] = h["model.layers.0.input_layernorm.weight"]["data_offsets"]; });
       },
       kWeights, "tensors overlap or leave a hole"},
      {"TrailingBytes", [](const Directory& d) { d.change_header([](json&) {}, 3); }, kWeights, "bytes of data by the header"},
      {"CutShort",
       [](const Directory& d) {
         const std::string bytes = d.text(kWeights);
         d.write(kWeights, bytes.substr(0, bytes.size() - 1));
       },
       kWeights, "bytes of data by the header"},
      {"TensorMissing",
       [](const Directory& d) { d.change_header([](json& h) { h["other"] = h[kUp], h.erase(kUp); }); }, kWeights,
       "expected tensor 'model.layers.0.mlp.up_proj.weight' of shape [12, 8], found none"},
      {"WeightsAreAFolder",
       [](const Directory& d) {
         std::filesystem::remove(d.path() / kWeights);
         std::filesystem::create_directory(d.path() / kWeights);
       },
       kWeights, "expected a regular file"},
      // the index
      index("FileAbove", "../part.safetensors", "expected the name of a file in the same directory"),
      index("FileElsewhere", "/etc/passwd", "expected the name of a file in the same directory"),
      index("FileWithNul", std::string("a\0b", 3), "expected the name of a file in the same directory"),
      index("FileIsANumber", 7, "expected the name of a file in the same directory"),
      {"FileIsMissing", [](const Directory& d) { d.add_index("none.safetensors"); }, "none.safetensors",
       "expected a readable file"},
      {"IndexIsBroken", [](const Directory& d) { d.add_index("part.safetensors"), d.write(kIndex, "{"); }, kIndex,
       "expected valid JSON"},
      {"IndexIsDeep",
       [](const Directory& d) { d.add_index("part.safetensors"), d.write(kIndex, "{\"a\":" + std::string(100'000, '[')); },
       kIndex, "nested at most"},
      {"IndexWithoutMap",
       [](const Directory& d) { d.add_index("part.safetensors", [](json& i) { i.erase("weight_map"); }); }, kIndex,
       "expected an object 'weight_map'"},
      {"MapIsAList",
       [](const Directory& d) { d.add_index("part.safetensors", [](json& i) { i["weight_map"] = {"a"}; }); }, kIndex,
       "expected an object 'weight_map'"},
      {"MapNamesATensorOverTwoLines",
       [](const Directory& d) { d.add_index("part.safetensors", [](json& i) { i["weight_map"]["a\nb"] = "part.safetensors"; }); },
       "part.safetensors", "expected tensor \"a\\nb\""},
      {"MapLeavesOneOut",
       [](const Directory& d) { d.add_index("part.safetensors", [](json& i) { i["weight_map"].erase(kNorm); }); },
       "part.safetensors", "expected only tensors that"},
      // config.json
      {"NoConfig", [](const Directory& d) { std::filesystem::remove(d.path() / "config.json"); }, "config.json",
       "expected a readable file"},
      {"ConfigIsBroken", [](const Directory& d) { d.write("config.json", "{\"a\":"); }, "config.json",
       "expected valid JSON"},
      {"ConfigSaysItTwice",
       [](const Directory& d) { d.write("config.json", R"({"hidden_size":1,"hidden_size":2})"); }, "config.json",
       "\"hidden_size\" twice"},
      config("LongNonsense", "model_type", std::string(1'000'000, 'x'), "expected llama, mistral, qwen2 or qwen3"),
      config("NonsenseOverTwoLines", "hidden_act", "silu\n", "expected silu, found \"silu\\n\""),
      config("HugeVocabulary", "vocab_size", 1'099'511'627'776, "vocab_size: expected an integer from 1 to"),
      config("NoLayers", "num_hidden_layers", 0, "num_hidden_layers"),
      config("HeadsThatDoNotDivide", "num_key_value_heads", 3, "expected a divisor of the 2 heads"),
      config("OddHeads", "head_dim", 3, "head_dim: expected an even number"),
      config("EndBeyondTheVocabulary", "eos_token_id", 10, "below the vocab_size 10"),
      config("Quantized", "quantization_config", {{"bits", 4}}, "quantization_config"),
      config("OtherRotaryScaling", "rope_scaling", {{"rope_type", "yarn"}, {"factor", 4}}, "found \"yarn\""),
      {"ShapesOfAnotherModel",
       [](const Directory& d) { d.change_json("config.json", [](json& c) { c["intermediate_size"] = 16; }); }, kWeights,
       "expected shape [16, 8] by the configuration"},
  };
  return kDamages;
}

TEST(HostileFiles, AreRefusedInOneClearLine) {
  for (const Damage& damage : damages()) {
    SCOPED_TRACE(damage.name);
    const Directory directory;
    ASSERT_EQ(directory.error(), "");
    damage.apply(directory);
    const std::string error = directory.error();
    EXPECT_THAT(error, StartsWith((directory.path() / damage.file).string() + ": "));
    EXPECT_THAT(error, HasSubstr("expected"));
    EXPECT_THAT(error, HasSubstr(damage.message));
    EXPECT_THAT(error, Not(HasSubstr("\n")));
    EXPECT_LT(error.size(), 600U);
  }
}

}  // namespace
}  // namespace entune
