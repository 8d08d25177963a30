#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "trainer/model/decoder_model.h"
#include "trainer/model/llama_config.h"

namespace entune {

/// config.json of a Hugging Face directory: model types llama, mistral, qwen2 and qwen3, what is absent as
/// transformers' classes have it. Both spellings of the rotary settings are read: rope_theta and rope_scaling
/// (transformers 4), rope_parameters (transformers 5); default, linear and llama3 scaling. Throws InputError naming what
/// is missing, impossible or not supported (architecture, scaling, biases, windows in some layers alone).
LlamaConfig read_llama_config(const std::filesystem::path& model_directory);
/// config.json with both spellings of the rotary settings, and generation_config.json with the end tokens. dtype: of the
/// weights beside it.
void write_llama_config(const std::filesystem::path& directory, const LlamaConfig& config, at::ScalarType dtype);

/// Fills the model's base parameters from model.safetensors (or the shards of model.safetensors.index.json). Each rank
/// reads only the rows or columns it keeps, in pieces, straight into place, converting to the model's dtype. Missing,
/// extra or misshapen tensors are refused by name. `progress` (may be empty): bytes read so far, bytes in all.
void load_hugging_face_weights(const std::filesystem::path& model_directory, DecoderModel& model,
                               const std::function<void(std::int64_t, std::int64_t)>& progress = {});

/// adapter_config.json and adapter_model.safetensors as PEFT and vLLM read them. Collective over the tensor axis; rank
/// 0 writes.
void save_peft_adapter(const std::filesystem::path& directory, DecoderModel& model, const std::string& base_model,
                       Communicator& tensor_axis);
/// Fills the model's adapters, each rank with its part. Rank, alpha, targets and shapes must fit the model's
/// LoraOptions.
void load_peft_adapter(const std::filesystem::path& directory, DecoderModel& model);
/// Rank, alpha, dropout and targets of a PEFT adapter directory. Throws InputError for what is not supported.
LoraOptions read_peft_config(const std::filesystem::path& directory);
/// What vLLM must be told to serve an adapter of this rank; empty where its defaults do. It takes --max-lora-rank of 1,
/// 8, 16 (the default), 32, 64, 128, 256, 320 or 512 (vllm/config/lora.py, 0.11 to 0.27).
std::string vllm_rank_note(std::int64_t rank);
/// Throws InputError if an adapter directory has another rank, alpha or targets than `expected`.
void expect_peft_config(const std::filesystem::path& directory, const LoraOptions& expected);
/// A look at both files of an adapter directory, without reading a tensor: the configuration must be one that
/// read_peft_config takes, the tensors' header a valid one. Throws InputError.
void check_peft_adapter(const std::filesystem::path& directory);
/// Copies the two files of an adapter directory after check_peft_adapter. One process does it.
void copy_peft_adapter(const std::filesystem::path& from, const std::filesystem::path& to);

struct SaveOptions {
  /// Weights of more bytes than this go into several files, each of at most as many bytes of tensors (or one tensor).
  /// transformers 4's default.
  std::int64_t max_file_bytes = 5'000'000'000;
  /// Called on rank 0 of the tensor axis: bytes written so far, bytes in all.
  std::function<void(std::int64_t, std::int64_t)> progress = {};
};

/// Writes config.json, generation_config.json and the weights in the model's dtype: model.safetensors, or
/// model-00001-of-0000N.safetensors and so on with model.safetensors.index.json (written last). Copies the tokenizer's
/// files from `model_directory` (none if that is empty). Adapters, if the model has any, are merged: W + (alpha / rank)
/// B A, computed in float32 and rounded once. Collective over the tensor axis; rank 0 writes. Each rank holds 64 MiB
/// beside its part at most.
void save_hugging_face(const std::filesystem::path& directory, DecoderModel& model,
                       const std::filesystem::path& model_directory, Communicator& tensor_axis,
                       const SaveOptions& options = {});

}  // namespace entune
