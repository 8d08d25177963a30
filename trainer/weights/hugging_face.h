#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "trainer/model/decoder_model.h"
#include "trainer/model/llama_config.h"

namespace entune {

/// config.json of a Hugging Face directory. Throws InputError naming what is missing or not supported (architecture,
/// rope type, bias). Both spellings of the rotary base are read: rope_theta (transformers 4) and rope_parameters
/// (transformers 5).
LlamaConfig read_llama_config(const std::filesystem::path& model_directory);
/// config.json with both spellings of the rotary base, and generation_config.json with the end tokens. dtype: of the
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
/// Fills the model's adapters. Rank, targets and shapes must fit the model's LoraOptions.
void load_peft_adapter(const std::filesystem::path& directory, DecoderModel& model);
/// Rank, alpha and targets of a PEFT adapter directory.
LoraOptions read_peft_config(const std::filesystem::path& directory);

/// Writes config.json, generation_config.json and model.safetensors in the model's dtype; copies the tokenizer's files
/// from `model_directory` (none if that is empty). Adapters, if the model has any, are merged: W + (alpha / rank) B A,
/// computed in float32 and rounded once. Collective over the tensor axis; rank 0 writes. Each rank holds 64 MiB beside
/// its part at most.
void save_hugging_face(const std::filesystem::path& directory, DecoderModel& model,
                       const std::filesystem::path& model_directory, Communicator& tensor_axis);

}  // namespace entune
