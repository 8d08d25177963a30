#include "trainer/weights/config_field_names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <string_view>

#include "trainer/weights/strict_json.h"

namespace entune {
namespace {

/// What read_llama_config reads, or refuses by name.
constexpr std::string_view kRead[] = {"architectures",
                                      "attention_bias",
                                      "attention_multiplier",
                                      "attn_logit_softcapping",
                                      "bos_token_id",
                                      "dual_chunk_attention_config",
                                      "embedding_multiplier",
                                      "eos_token_id",
                                      "final_logit_softcapping",
                                      "head_dim",
                                      "hidden_act",
                                      "hidden_size",
                                      "initializer_range",
                                      "intermediate_size",
                                      "layer_types",
                                      "logit_scale",
                                      "logits_scaling",
                                      "max_position_embeddings",
                                      "max_sequence_length",
                                      "max_window_layers",
                                      "mlp_bias",
                                      "model_type",
                                      "num_attention_heads",
                                      "num_hidden_layers",
                                      "num_key_value_heads",
                                      "pad_token_id",
                                      "partial_rotary_factor",
                                      "quantization_config",
                                      "query_pre_attn_scalar",
                                      "residual_multiplier",
                                      "rms_norm_eps",
                                      "rope_interleaved",
                                      "rope_parameters",
                                      "rope_scaling",
                                      "rope_theta",
                                      "sliding_window",
                                      "tie_word_embeddings",
                                      "use_sliding_window",
                                      "vocab_size"};

/// What the published directories of these families and transformers' base class carry beside, without effect on the
/// logits: bookkeeping, settings of training and of generation, and of heads that are not a language model's.
constexpr std::string_view kHarmless[] = {"_attn_implementation",
                                          "_attn_implementation_autoset",
                                          "_commit_hash",
                                          "_flash_attn_2_enabled",
                                          "_name_or_path",
                                          "add_cross_attention",
                                          "attention_dropout",
                                          "auto_map",
                                          "bad_words_ids",
                                          "begin_suppress_tokens",
                                          "chunk_size_feed_forward",
                                          "cross_attention_hidden_size",
                                          "decoder_start_token_id",
                                          "diversity_penalty",
                                          "do_sample",
                                          "dtype",
                                          "early_stopping",
                                          "encoder_no_repeat_ngram_size",
                                          "exponential_decay_length_penalty",
                                          "finetuning_task",
                                          "forced_bos_token_id",
                                          "forced_eos_token_id",
                                          "id2label",
                                          "is_decoder",
                                          "is_encoder_decoder",
                                          "is_llama_config",
                                          "label2id",
                                          "length_penalty",
                                          "max_length",
                                          "min_length",
                                          "model_name",
                                          "no_repeat_ngram_size",
                                          "num_beam_groups",
                                          "num_beams",
                                          "num_labels",
                                          "num_return_sequences",
                                          "output_attentions",
                                          "output_hidden_states",
                                          "output_scores",
                                          "prefix",
                                          "pretraining_tp",
                                          "problem_type",
                                          "pruned_heads",
                                          "remove_invalid_values",
                                          "repetition_penalty",
                                          "return_dict",
                                          "return_dict_in_generate",
                                          "sep_token_id",
                                          "suppress_tokens",
                                          "task_specific_params",
                                          "temperature",
                                          "tf_legacy_loss",
                                          "tie_encoder_decoder",
                                          "tokenizer_class",
                                          "top_k",
                                          "top_p",
                                          "torch_dtype",
                                          "torchscript",
                                          "transformers.js_config",
                                          "transformers_version",
                                          "typical_p",
                                          "unsloth_fixed",
                                          "unsloth_version",
                                          "use_bfloat16",
                                          "use_cache",
                                          "use_mrope"};

template <std::size_t N>
bool contains(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace

std::vector<std::string> unknown_config_fields(const std::filesystem::path& model_directory) {
  std::vector<std::string> unknown;
  const nlohmann::json config = read_strict_json(model_directory / "config.json");
  for (const auto& [name, value] : config.items()) {
    if (!contains(kRead, name) && !contains(kHarmless, name)) unknown.push_back(shown(name));
  }
  return unknown;
}

void warn_of_unknown_config_fields(const std::filesystem::path& model_directory) {
  static std::set<std::filesystem::path> seen;
  if (!seen.insert(model_directory).second) return;
  const std::vector<std::string> unknown = unknown_config_fields(model_directory);
  if (unknown.empty()) return;
  fmt::print(stderr,
             "warning: {}: fields that Entune does not know and leaves aside: {}; if one changes what the model "
             "computes, results will be off\n",
             (model_directory / "config.json").string(), fmt::join(unknown, ", "));
}

}  // namespace entune
