#include "trainer/study/chat_family.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>

#include "trainer/weights/strict_json.h"

namespace entune {
namespace {

/// A field of a JSON file as text: a string as it is, anything else as JSON; "" where there is none.
std::string text_field(const std::filesystem::path& file, const char* field) {
  if (!std::filesystem::is_regular_file(file)) return "";
  const nlohmann::json object = read_strict_json(file);
  const auto found = object.find(field);
  if (found == object.end() || found->is_null()) return "";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

/// Several templates (a list of {name, template}) come as one text: they are searched for marks alone.
std::string chat_template(const std::filesystem::path& directory) {
  if (std::ifstream file(directory / "chat_template.jinja", std::ios::binary); file) {
    return {std::istreambuf_iterator<char>(file), {}};
  }
  return text_field(directory / "tokenizer_config.json", "chat_template");
}

bool is_named(const std::filesystem::path& directory, const std::string& family) {
  std::string name = text_field(directory / "config.json", "_name_or_path");
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name.find(family) != std::string::npos;
}

}  // namespace

std::optional<std::string> find_chat_family(const std::filesystem::path& directory, const LlamaConfig& config,
                                            const Tokenizer& tokenizer) {
  const std::string form = chat_template(directory);
  const auto says = [&](const char* mark) { return form.find(mark) != std::string::npos; };
  const auto may_say = [&](const char* mark) { return form.empty() || says(mark); };
  const auto has = [&](const char* token) { return tokenizer.control_id(token).has_value(); };
  const std::string& type = config.model_type;

  if (has("<|start_header_id|>")) {
    if (type == "llama" && may_say("<|start_header_id|>")) return "llama3";
  } else if (has("<|im_start|>")) {
    if (!may_say("<|im_start|>")) return std::nullopt;
    if (type == "qwen2" || (type == "qwen3" && may_say("enable_thinking"))) return "qwen";
    if (config.vocab_size == 49152) return "smollm2";
    if (config.vocab_size == 64000) return "yi";
  } else if (has("<s>") && type == "mistral") {
    if (may_say("[INST]") && !says("<<SYS>>")) return "mistral";
  } else if (has("<s>") && type == "llama") {
    if (says("<<SYS>>")) return "llama2";
    if (says("USER:") && says("ASSISTANT:")) return "vicuna";
    if (form.empty() && is_named(directory, "vicuna")) return "vicuna";
  }
  return std::nullopt;
}

}  // namespace entune
