#include <fmt/format.h>

#include <map>
#include <memory>

#include "trainer/commands/commands.h"
#include "trainer/study/cell_export.h"
#include "trainer/weights/hugging_face.h"

namespace entune {

void add_export(CLI::App& app, CommandContext& context) {
  struct Arguments : ExportOptions {
    std::string to;
  };
  const std::map<std::string, ExportForm> forms = {
      {"hf", ExportForm::hf}, {"peft", ExportForm::peft}, {"merged", ExportForm::merged}};
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "export", "Write what a run trained where other programs read it: a Hugging Face directory or a PEFT adapter");
  command->add_option("run", arguments->run, "Run folder (runs/<name>)")->required()->type_name("DIR");
  command->add_option("--cell", arguments->cell,
                      "Cell of the run: name as in its report, or number from 0 (not needed where there is one)");
  command->add_option("--set", arguments->overrides, "Values that replace the run's recipe: parallel.tensor=2")
      ->type_name("KEY=VALUE");
  command
      ->add_option("--to", arguments->to,
                   "peft: the adapter; merged: base and adapter as one model; hf: the model of a full fine-tuning")
      ->required()
      ->check(CLI::IsMember({"hf", "peft", "merged"}));
  command->add_option("--output,-o", arguments->output, "Directory to write; must be absent or empty")
      ->required()
      ->type_name("DIR");
  command->callback([&context, arguments, forms] {
    arguments->form = forms.at(arguments->to);
    context.run = [&context, arguments] {
      const std::optional<MergeDifference> difference = export_cell(*arguments, context.world);
      if (context.world.rank() != 0) return;
      std::string remark = difference ? describe(*difference) : "";
      if (arguments->form == ExportForm::peft) remark = vllm_rank_note(read_peft_config(arguments->output).rank);
      fmt::print("{}: written{}{}\n", arguments->output.string(), remark.empty() ? "" : "; ", remark);
    };
  });
}

}  // namespace entune
