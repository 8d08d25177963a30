#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "data/deidentify/deidentifier.h"
#include "data/deidentify/span_lines.h"
#include "data/documents/document_reader.h"
#include "data/documents/jsonl_output.h"
#include "data/input_error.h"
#include "data/shown_name.h"
#include "trainer/commands/commands.h"
#include "trainer/commands/key_file.h"
#include "trainer/commands/stream_files.h"
#include "trainer/commands/window_arguments.h"
#include "trainer/evaluate/document_answers.h"
#include "trainer/recipe/deidentify_policy.h"
#include "trainer/recipe/schema.h"
#include "trainer/study/trained_cell.h"
#include "trainer/weights/gathered_writer.h"

namespace entune {
namespace {

struct Arguments {
  std::string run;
  std::string cell;
  std::vector<std::string> overrides;
  std::string policy;
  std::string input;
  std::string spans;
  std::string output;
  std::string audit;
  bool resume = false;
  bool overwrite = false;
  WindowOptions windows;

  JsonlOutput::Existing existing() const { return existing_output(resume, overwrite); }
};

// 45 CFR 164.514(b)(2)(i)(R) and (C), 164.514(c).
void print_notes(const DeidentificationPolicy& policy) {
  for (const OperatorKind kind : {OperatorKind::hash, OperatorKind::encrypt}) {
    if (uses(policy, kind))
      fmt::print(stderr, "note: {} writes a code derived from the value: pseudonymization, not HIPAA Safe Harbor\n",
                 name_of(kind));
  }
  if (uses(policy, OperatorKind::surrogate))
    fmt::print(stderr,
               "note: surrogate draws values from a key and the real ones: pseudonymization, not HIPAA Safe Harbor\n");
  if (uses(policy, OperatorKind::date_shift))
    fmt::print(stderr,
               "note: date_shift keeps day and month in a date: for expert determination or a limited data set, not "
               "HIPAA Safe Harbor\n");
}

/// Rank 0's way out: the policy, the files, and what was done.
class Output {
 public:
  explicit Output(const Arguments& arguments)
      : deidentifier_(make_deidentifier(arguments)), output_(arguments.output, arguments.existing()) {
    if (arguments.resume) require_same_policy(arguments.output);
    if (!arguments.audit.empty()) audit_.emplace(arguments.audit, arguments.existing());
  }

  /// To be asked for every document in order.
  bool is_done(const std::string& id) {
    const bool written = output_.has(id);
    if (!audit_) return written;
    const bool audited = audit_->has(id);
    if (audited && !written) {
      throw InputError(
          fmt::format("--resume: expected the line of document {} in the output too, found it in the audit "
                      "alone; give the files of one run, or start anew with --overwrite",
                      id));
    }
    if (written && !audited) ++num_unaudited_;  // it was cut off between the two
    return audited;
  }

  void take(const Example& document) {
    const DeidentifiedDocument done = deidentifier_.apply(document);
    if (num_unaudited_ > 0) {  // they come before all that are not written
      --num_unaudited_;
    } else {
      output_.write(output_line(done));
    }
    if (audit_) audit_->write(audit_line(done, deidentifier_.policy()));
    ++num_documents_;
    num_drawn_again_ += done.surrogates_drawn_again;
    for (const DeidentifiedSpan& span : done.spans) {
      ++by_operator_[name_of(span.done)];
      num_by_default_ += span.by_default;
      if (!deidentifier_.policy().labels.contains(span.original.label)) ++unnamed_[span.original.label];
    }
  }

  void finish() {
    output_.require_no_more();
    if (audit_) audit_->require_no_more();
    std::vector<std::string> done;
    for (const auto& [name, count] : by_operator_) done.push_back(fmt::format("{} {}", name, count));
    fmt::print(stderr, "{} documents; spans: {}\n", num_documents_,
               done.empty() ? "none" : fmt::format("{}", fmt::join(done, ", ")));
    if (num_by_default_ > 0)
      fmt::print(stderr, "{} values were not recognized by their operator and removed by the default\n",
                 num_by_default_);
    if (num_drawn_again_ > 0)
      fmt::print(stderr, "{} surrogates were drawn again, as the first was taken or a real value\n", num_drawn_again_);
    if (!unnamed_.empty()) fmt::print(stderr, "labels that the policy does not name, by the default: {}\n", unnamed());
  }

 private:
  static Deidentifier make_deidentifier(const Arguments& arguments) {
    DeidentificationPolicy policy = load_policy(arguments.policy);
    std::optional<SecretKey> key;
    if (needs_key(policy)) key = read_secret_key(*policy.key);
    if (policy.key) require_key_apart(*policy.key, {arguments.output, arguments.audit});
    print_notes(policy);
    return Deidentifier(std::move(policy), std::move(key));
  }

  /// "GPE 3, PERSN 7 (PERSON?)": with the label that may have been meant.
  std::string unnamed() const {
    std::vector<std::string> named, shown;
    for (const auto& [label, what] : deidentifier_.policy().labels) named.push_back(label);
    for (const auto& [label, count] : unnamed_) {
      const std::string near = label.size() < 5 ? "" : nearest(label, named);
      shown.push_back(
          fmt::format("{} {}{}", shown_name(label), count, near.empty() ? "" : fmt::format(" ({}?)", near)));
    }
    return fmt::format("{}", fmt::join(shown, ", "));
  }

  void require_same_policy(const std::string& output) const {
    std::ifstream file(output, std::ios::binary);
    std::string line;
    if (!std::getline(file, line)) return;
    const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
    if (!object.is_object() || object.value("policy", nlohmann::json()) != deidentifier_.fingerprint())
      throw InputError(fmt::format(
          "{}:1: expected a line of this policy and key, found another; give policy and key as they were, or "
          "start anew with --overwrite",
          output));
  }

  Deidentifier deidentifier_;
  JsonlOutput output_;
  std::optional<JsonlOutput> audit_;
  std::int64_t num_unaudited_ = 0;  // of the documents that are taken next: written, but not in the audit
  std::int64_t num_documents_ = 0;
  std::int64_t num_by_default_ = 0;
  std::int64_t num_drawn_again_ = 0;
  std::map<std::string, std::int64_t> by_operator_;
  std::map<std::string, std::int64_t> unnamed_;  // labels without an entry in the policy
};

void with_given_spans(const Arguments& arguments) {
  std::ifstream documents_file = open_input(arguments.input);
  SpanLineReader documents(documents_file, arguments.input);
  std::ifstream spans_file;
  std::optional<SpanLineReader> spans;
  if (!arguments.spans.empty()) {
    spans_file = open_input(arguments.spans);
    spans.emplace(spans_file, arguments.spans);
  }
  Output output(arguments);
  while (const std::optional<Example> document = spans ? spans->next_of(documents) : documents.next_document()) {
    if (!output.is_done(document->id)) output.take(*document);
  }
  output.finish();
}

void with_found_spans(const Arguments& arguments, Communicator& world) {
  const StoredCell stored = find_stored_cell(arguments.run, arguments.cell, arguments.overrides);
  std::ifstream file;
  std::optional<DocumentReader> reader;
  std::optional<Output> output;
  on_rank_zero(world, [&] {
    file = open_input(arguments.input);
    reader.emplace(file, arguments.input, DocumentReader::Lines::jsonl);
    output.emplace(arguments);
  });
  TrainedCell cell = load_trained_cell(stored, world);
  std::int64_t num_doubtful = 0;
  answer_documents(
      *cell.model, *cell.setup.task, *cell.mesh,
      {.generation = cell.loaded.recipe.generation.options,
       .budget = cell.budget,
       .windows = arguments.windows,
       .progress = "answering",
       .num_documents = 0},
      [&] {
        std::optional<Document> document = reader->next();
        while (document && output->is_done(document->id)) document = reader->next();
        return document;
      },
      [&](const Document& document, const DocumentAnswer& answer) {
        num_doubtful += !answer.parsed.well_formed() || answer.hit_max_tokens;
        output->take({document.id, document.text, answer.found_by_windows, {}});
      });
  if (world.rank() != 0) return;
  output->finish();
  if (num_doubtful > 0)
    fmt::print(stderr,
               "warning: the model's answers for {} documents are not well formed or were cut off; values may remain "
               "in them\n",
               num_doubtful);
}

void run_deidentify(const Arguments& arguments, Communicator& world) {
  if (!arguments.run.empty() && !arguments.spans.empty())
    throw InputError("expected either a run, which finds the spans, or --spans FILE, found both");
  if (arguments.audit == "-") throw InputError("--audit: expected a file, found standard output");
  std::vector<std::string> inputs = {arguments.policy, arguments.input}, outputs = {arguments.output};
  if (!arguments.spans.empty()) inputs.push_back(arguments.spans);
  if (!arguments.audit.empty()) outputs.push_back(arguments.audit);
  require_apart(inputs, outputs);
  if (!arguments.run.empty()) {
    with_found_spans(arguments, world);
  } else if (world.rank() == 0) {
    with_given_spans(arguments);
  }
}

}  // namespace

void add_deidentify(CLI::App& app, CommandContext& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "deidentify", "Replace personal data by a policy, from given spans or those that a trained run finds");
  command->add_option("run", arguments->run, "Run folder (runs/<name>) that finds the spans; none: they are given")
      ->type_name("DIR");
  command->add_option("--cell", arguments->cell, "Cell of the run: name or number (not needed where there is one)");
  command->add_option("--set", arguments->overrides, "Values that replace the run's recipe: parallel.tensor=2")
      ->type_name("KEY=VALUE");
  command->add_option("--policy,-p", arguments->policy, "Policy (YAML; recipes/deidentify/ has commented ones)")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--input,-i", arguments->input,
                   "JSONL with \"id\", \"text\" and \"entities\"; with a run or --spans the entities are not read")
      ->required()
      ->type_name("FILE");
  command->add_option("--spans", arguments->spans, "JSONL of predict for the same texts in the same order")
      ->type_name("FILE");
  command->add_option("--output,-o", arguments->output, "JSONL to write, mode 0600; - for standard output")
      ->required()
      ->type_name("FILE");
  command->add_option("--audit", arguments->audit, "JSONL to write: spans, labels and operators, no values")
      ->type_name("FILE");
  CLI::Option* resume =
      command->add_flag("--resume", arguments->resume, "Keep the lines that the outputs have and go on behind them");
  command->add_flag("--overwrite", arguments->overwrite, "Replace output files that are there")->excludes(resume);
  add_window_options(*command, arguments->windows);
  command->callback(
      [&context, arguments] { context.run = [&context, arguments] { run_deidentify(*arguments, context.world); }; });
}

}  // namespace entune
