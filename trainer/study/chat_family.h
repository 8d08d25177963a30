#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "data/tokens/tokenizer.h"
#include "trainer/model/llama_config.h"

namespace entune {

/// The chat family (chat_families()) that a model directory's files name: what `model.chat: auto` stands for. From
/// config.json's model_type and vocab_size, the tokenizer's control tokens, and the chat template where there is one
/// (chat_template.jinja, or chat_template in tokenizer_config.json), which must be of that family:
///
///   llama3   llama, <|start_header_id|>
///   qwen     qwen2 or qwen3, <|im_start|>; of Qwen3 those alone whose thinking can be switched off
///   smollm2  <|im_start|>, 49,152 pieces
///   yi       <|im_start|>, 64,000 pieces
///   mistral  mistral; <s> without <|im_start|>
///   llama2   llama, <s>, and a template with <<SYS>> (Llama-2-chat, CodeLlama-Instruct)
///   vicuna   llama, <s>, and a template of USER and ASSISTANT or, since Vicuna has none, config.json's _name_or_path
///
/// nullopt where they leave a doubt: a base model of Llama 2 or CodeLlama, or another model's form on a known
/// vocabulary. Throws InputError for a damaged file.
std::optional<std::string> find_chat_family(const std::filesystem::path& directory, const LlamaConfig& config,
                                            const Tokenizer& tokenizer);

}  // namespace entune
