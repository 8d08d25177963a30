#include "data/synthesis/generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "data/code_points.h"
#include "data/input_error.h"
#include "data/random.h"
#include "data/synthesis/templates.h"
#include "data/synthesis/values.h"

namespace entune {
namespace {

constexpr int kTriesForANewText = 20;

struct Template {
  std::string group;
  std::string_view text;
};

struct Slot {
  std::string_view name;  // label or filler
  std::string_view kind;
  bool repeated = false;
};

bool is_name(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

/// LABEL, LABEL/kind, LABEL:1 or LABEL/kind:1; anything else in braces is text.
std::optional<Slot> parse_slot(std::string_view inside) {
  Slot slot;
  if (const std::size_t colon = inside.find(':'); colon != std::string_view::npos) {
    if (!is_name(inside.substr(colon + 1))) return std::nullopt;
    slot.repeated = true;
    inside = inside.substr(0, colon);
  }
  const std::size_t slash = inside.find('/');
  slot.name = inside.substr(0, slash);
  if (slash != std::string_view::npos) slot.kind = inside.substr(slash + 1);
  if (!is_name(slot.name) || (slash != std::string_view::npos && !is_name(slot.kind))) return std::nullopt;
  return slot;
}

class TemplateFiller {
 public:
  TemplateFiller(const Template& source, Random& random) : source_(source), rest_(source.text), random_(random) {}

  Example fill() {
    while (!rest_.empty()) {
      if (!take_slot() && !take_choice()) {
        example_.text += rest_.front();
        rest_.remove_prefix(1);
      }
    }
    const CodePointIndex index(example_.text);
    for (Entity& entity : example_.entities) {
      entity.start = index.code_point(static_cast<std::size_t>(entity.start));
      entity.end = index.code_point(static_cast<std::size_t>(entity.end));
    }
    example_.group = source_.group;
    return std::move(example_);
  }

 private:
  bool take_slot() {
    const std::size_t close = rest_.find('}');
    if (rest_.front() != '{' || close == std::string_view::npos) return false;
    const std::string_view inside = rest_.substr(1, close - 1);
    const auto slot = parse_slot(inside);
    if (!slot) return false;
    rest_.remove_prefix(close + 1);
    if (std::islower(static_cast<unsigned char>(slot->name.front()))) {
      example_.text += make_filler(slot->name, random_);
      return true;
    }
    std::string value;
    if (const auto known = values_.find(inside); slot->repeated && known != values_.end()) {
      value = known->second;
    } else {
      value = make_value(slot->name, slot->kind, random_);
      if (slot->repeated) values_.emplace(inside, value);
    }
    // Bytes for now; the whole text is needed to count code points.
    const auto start = static_cast<std::int64_t>(example_.text.size());
    example_.text += value;
    example_.entities.push_back({start, static_cast<std::int64_t>(example_.text.size()), std::string(slot->name)});
    return true;
  }

  bool take_choice() {
    const std::size_t close = rest_.find(']');
    if (rest_.front() != '[' || close == std::string_view::npos) return false;
    std::string_view inside = rest_.substr(1, close - 1);
    if (inside.find('|') == std::string_view::npos) return false;
    rest_.remove_prefix(close + 1);
    const auto last = std::count(inside.begin(), inside.end(), '|');
    for (std::int64_t skip = random_.between(0, last); skip > 0; --skip) inside.remove_prefix(inside.find('|') + 1);
    example_.text += inside.substr(0, inside.find('|'));
    return true;
  }

  const Template& source_;
  std::string_view rest_;
  Random& random_;
  Example example_;
  std::map<std::string_view, std::string> values_;
};

/// Deals templates evenly: all of them in random order, then all again.
class Deck {
 public:
  explicit Deck(std::vector<Template> templates) : templates_(std::move(templates)) {}

  const Template& draw(Random& random) {
    if (next_ == 0) random.shuffle(templates_);
    const Template& drawn = templates_[next_];
    next_ = (next_ + 1) % templates_.size();
    return drawn;
  }

 private:
  std::vector<Template> templates_;
  std::size_t next_ = 0;
};

void append(std::vector<Template>& all, std::string_view domain, const TemplateTexts& texts) {
  for (std::size_t i = 0; i < texts.size(); ++i) all.push_back({fmt::format("{}-{:02}", domain, i + 1), texts[i]});
}

Deck labelled_deck() {
  std::vector<Template> all;
  append(all, "banking", banking_templates());
  append(all, "clinical", clinical_templates());
  append(all, "forms", forms_templates());
  append(all, "household", household_templates());
  append(all, "hr", hr_templates());
  append(all, "legal", legal_templates());
  append(all, "mail", mail_templates());
  append(all, "orders", orders_templates());
  append(all, "pharmacy", pharmacy_templates());
  append(all, "records", records_templates());
  append(all, "support", support_templates());
  append(all, "travel", travel_templates());
  return Deck(std::move(all));
}

Deck plain_deck() {
  std::vector<Template> all;
  append(all, "plain", plain_templates());
  return Deck(std::move(all));
}

}  // namespace

std::vector<Example> generate_corpus(const GeneratorOptions& options) {
  if (options.count < 0) throw InputError(fmt::format("expected a count of at least 0, found {}", options.count));
  if (!(options.empty_fraction >= 0.0 && options.empty_fraction <= 1.0)) {
    throw InputError(fmt::format("expected an empty fraction from 0 to 1, found {}", options.empty_fraction));
  }
  Random random(options.seed);
  Deck labelled = labelled_deck();
  Deck plain = plain_deck();
  std::vector<Example> examples;
  std::unordered_set<std::string> texts;
  for (std::int64_t i = 0; i < options.count; ++i) {
    const Template& chosen = random.chance(options.empty_fraction) ? plain.draw(random) : labelled.draw(random);
    Example example = TemplateFiller(chosen, random).fill();
    // A template without entities has few texts: in a very large corpus some must come again.
    for (int tries = 0; tries < kTriesForANewText && !texts.insert(example.text).second; ++tries) {
      example = TemplateFiller(chosen, random).fill();
    }
    example.id = fmt::format("pii-{:06}", i + 1);
    examples.push_back(std::move(example));
  }
  return examples;
}

const LabelList& synthetic_labels() {
  static const LabelList labels = {
      {"PERSON", "name of a person, without title"},
      {"EMAIL_ADDRESS", "e-mail address"},
      {"PHONE_NUMBER", "telephone or fax number"},
      {"STREET_ADDRESS", "postal address or its street part"},
      {"DATE_TIME", "date or time of day"},
      {"AGE", "age of a person, the number alone"},
      {"ORGANIZATION", "company, clinic, bank or school"},
      {"US_SSN", "social security number"},
      {"US_DRIVER_LICENSE", "driver's license"},
      {"MEDICAL_RECORD_NUMBER", "patient's record"},
      {"PRESCRIPTION_NUMBER", "prescription"},
      {"ORDER_NUMBER", "order or shipment"},
      {"CREDIT_CARD", "payment card"},
      {"BANK_ACCOUNT", "account, routing number or IBAN"},
      {"IP_ADDRESS", "internet address"},
  };
  return labels;
}

}  // namespace entune
