#include "data/synthesis/templates.h"

namespace entune {

// Texts without personal data. Numbers, versions, product names and capitals that look like it are there on purpose.
const TemplateTexts& plain_templates() {
  static const TemplateTexts templates = {
      "Release {version} fixes {n2} bugs and drops support for the old [installer|parser|renderer]. Upgrade from "
      "{version} needs no migration.",
      "Stir {n3} grams of flour into {n3} ml of milk, rest the batter for half an hour, then bake at {n3} degrees "
      "until [golden|firm|crisp].",
      "The [model|pump|engine] X-{n3} delivers {n4} watts and weighs {n2}.{n1} kg; spare part {n5} fits all units "
      "built since the redesign.",
      "Can I change my delivery window without calling anyone? I looked in the app under [settings|orders|profile] but "
      "found nothing.",
      "Fasting glucose between {n2} and {n3} mg/dL is normal; repeat the test if the sample was "
      "[hemolyzed|clotted|delayed].",
      "Question {n2}: which of these fractions is larger, {n1}/{n2} or {n1}/{n2}? Show your work and round to "
      "[two|three] decimals.",
      "Error code {n4}: the [drum|tray|sensor] is blocked. Open the rear cover, remove the paper, and press the green "
      "button for {n1} seconds.",
      "All staff must wear safety shoes in hall {n1}. Visitors get a yellow vest at reception and stay behind the "
      "[painted line|barrier|rail].",
      "The warehouse holds {n4} pallets on {n2} aisles; aisle {n1} is reserved for [frozen|fragile|flammable] goods.",
      "Our return policy is simple: unused items, original packaging, [thirty|sixty|ninety] days, no questions asked.",
      "Chapter {n1} explains why [bridges|towers|tunnels] need expansion joints, with {n2} figures and a table of "
      "coefficients.",
      "Temperature dropped by {n1} degrees within an hour, and the wind turned; hikers should expect [hail|fog|sleet] "
      "above {n4} feet.",
      "Please hold the line. Your call is important to us. You are number {n2} in the queue. For "
      "[billing|repairs|sales] press {n1}.",
      "The committee approved the budget of {amount} with {n1} votes against {n1}; the item on "
      "[parking|lighting|drainage] was postponed.",
      "Use at most {n2} characters, at least one digit, and no spaces. Passwords expire [yearly|quarterly|never].",
      "Take one tablet with water, do not crush it, and avoid grapefruit. If you miss a dose, [skip it|take it "
      "soon|ask a pharmacist].",
      "Bus {n2} runs every {n2} minutes, but not on public holidays. Tickets cost {amount} from the machine, more from "
      "the driver.",
      "The ISO 9001 audit found {n1} minor deviations in [document control|calibration|purchasing], none of them "
      "repeated.",
      "Warning: this ladder carries {n3} pounds. Do not stand on the top step, do not lean, and never use it near "
      "[power lines|open doors].",
      "SELECT count(*) FROM parts WHERE stock < {n2} AND bin = '{n3}-{n2}' ORDER BY [weight|price|age];",
      "Volume {n1} of the series is out of print. A used copy costs about {amount}, and the [maps|plates|appendix] may "
      "be missing.",
      "How do I reset the oven clock after a power cut? The display blinks four zeros and the [timer|grill] does "
      "nothing.",
      "Both teams scored in the first half. After a goalless second one, the shoot-out ended {n1} to {n1}, and the "
      "[crowd|bench|choir] went wild.",
      "Plants on the [north|south|east] side need {n1} litres a week in summer; cut back by half when the leaves turn "
      "yellow.",
      "Invoice numbers are assigned by the system. Do not reuse them, do not skip any, and keep the series [per "
      "year|per branch].",
      "The GPU has {n2} GB of memory; batches above {n3} samples fail, so lower the [resolution|precision|depth] "
      "first.",
      "To our guests: the pool is closed for cleaning. The sauna on floor {n1} stays open, and towels are at the "
      "[bar|gym|front desk].",
      "Section {n1}.{n1} replaces the earlier wording. References to the [supplier|carrier|licensee] include its legal "
      "successors.",
      "After {n3} cycles the battery kept {n2} percent of its capacity, which is [less|more] than the data sheet "
      "claims.",
      "Reminder to self: buy {n1} light bulbs, [descale the kettle|oil the hinge|sharpen the knives], and stop "
      "checking the phone after dinner.",
      "Nutrition per serving: {n3} kcal, fat {n1} g, salt 0.{n1} g. May contain traces of [nuts|soy|milk].",
      "Lorem-style filler is banned in mock-ups. Use realistic copy of {n2} words, or leave the [banner|card|footer] "
      "empty.",
  };
  return templates;
}

}  // namespace entune
