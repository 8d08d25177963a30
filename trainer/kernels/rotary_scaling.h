#pragma once

namespace entune {

/// How rotary frequencies are stretched for texts longer than those of pre-training.
struct RotaryScaling {
  enum class Type {
    none,
    linear,  ///< every frequency divided by `factor` (Chen et al. 2023; Vicuna 16k)
    llama3   ///< low frequencies divided by `factor`, high ones kept, those between interpolated (Llama 3.1)
  };
  Type type = Type::none;
  double factor = 1.0;
  // Of llama3 alone: wavelengths above original_positions / low_frequency_factor are stretched, those below
  // original_positions / high_frequency_factor are kept.
  double low_frequency_factor = 1.0;
  double high_frequency_factor = 4.0;
  double original_positions = 8192.0;

  bool operator==(const RotaryScaling&) const = default;
};

}  // namespace entune
