#include "data/synthesis/templates.h"

namespace entune {

const TemplateTexts& household_templates() {
  static const TemplateTexts templates = {
      "School office: {PERSON/first} was picked up early at {DATE_TIME/time} by an aunt, {PERSON/full}, who is on the "
      "authorised list.",
      "My neighbour {PERSON}, {AGE} and sharp as a tack, still mows the lawn at {STREET_ADDRESS/line} herself every "
      "other week.",
      "For sale: piano, upright, tuned last spring. Call {PERSON/first} evenings, {PHONE_NUMBER}. Buyer collects; "
      "ground floor, no stairs.",
      "Congratulations to {PERSON} and {PERSON}, who were married on {DATE_TIME} in front of family, friends and one "
      "very loud parrot.",
      "Lost cat near {STREET_ADDRESS}! Grey tabby, white paws, answers to Pickle. Reward. Text {PHONE_NUMBER} or write "
      "to {EMAIL_ADDRESS}.",
      "The funeral service for {PERSON/full}, who died peacefully at {AGE}, will be held on {DATE_TIME}. No flowers; "
      "gifts to {ORGANIZATION/charity}.",
      "Piano recital programme: {PERSON/full} ({AGE/child}) plays a minuet; {PERSON/full} ({AGE/teen}) plays a "
      "nocturne; refreshments afterwards.",
      "Babysitter notes: {PERSON/first:1} gets one story, no screen time. If {PERSON/first:1} coughs at night, the "
      "inhaler is in the kitchen. We're on {PHONE_NUMBER}.",
      "Coach {PERSON/last} moved practice to {DATE_TIME/time}. Shin guards and two water bottles, please. Carpool list "
      "is taped to the gym door.",
      "I grew up at {STREET_ADDRESS/line}, three doors from the bakery where {PERSON} taught me to braid bread before "
      "I could read.",
      "The landlord wants references. Would you be one? He will phone from {ORGANIZATION} and ask how long you have "
      "known {PERSON/first}.",
      "Recipe from {PERSON}'s kitchen: simmer {n1} onions until golden, add stock, and never, ever rush the flour. She "
      "served it all winter long.",
      "Book club meets at {PERSON}'s, {STREET_ADDRESS}, {DATE_TIME}. Read up to chapter {n2}. Somebody please bring "
      "chairs.",
      "Tutor wanted for a {AGE/teen}-year-old struggling with fractions, two afternoons a week. Contact "
      "{EMAIL_ADDRESS} with your hourly rate.",
      "Dear diary, {PERSON/first} finally talked to me, in the lunch queue, on {DATE_TIME}, and I dropped my tray. "
      "Seven witnesses.",
      "Vet appointment: owner {PERSON/full}, rabbit, overgrown teeth, {DATE_TIME/time}. Pay on the day; we no longer "
      "keep {CREDIT_CARD} on file.",
      "Genealogy note: {PERSON/full}, born {DATE_TIME/birth}, sailed with two brothers and changed the spelling of the "
      "surname on arrival.",
      "Community garden: plot {n2} passes from {PERSON} to {PERSON}. Annual dues of {amount} go to the treasurer, "
      "{EMAIL_ADDRESS}.",
      "Thank-you to the driver of {ORGANIZATION} who returned my phone! I only know his first name, {PERSON/first}, "
      "and that he hums.",
      "The choir lost its tenor: {PERSON} moves abroad on {DATE_TIME}. Auditions follow; ask {PERSON} for sheet music.",
      "I am {PERSON/full}, {AGE}, a widower, and I would like to learn to swim. Are there lessons for adults who are "
      "afraid of water?",
      "Parents' evening: teacher {PERSON/last}, slot {DATE_TIME/time}, room {n3}. Topics: reading, lunch money, the "
      "incident with the hamster.",
      "Our electrician swears by {ORGANIZATION}. He rewired the whole place at {STREET_ADDRESS} in a week and even "
      "fixed the doorbell.",
      "Marathon results: {PERSON/full} ({AGE}) finished in {n3} minutes, her best since {DATE_TIME}. Second in her age "
      "group by a hair.",
      "Roommate ad: sunny room, {amount} a month, close to the park. Living with {PERSON/first} (nurse) and me (chef). "
      "Message {PHONE_NUMBER}.",
      "grandma's wifi box says {IP_ADDRESS} on the sticker, is that what you need? she's {AGE} and keeps reading me "
      "the serial number instead",
      "The allotment shed was broken into on {DATE_TIME}; {PERSON} lost a strimmer, I lost {n1} rakes. Insurance of "
      "{ORGANIZATION} will pay half.",
      "Choir trip money: pay {PERSON} in cash, or transfer to {BANK_ACCOUNT}, reference is your child's name. Last day "
      "{DATE_TIME}.",
  };
  return templates;
}

}  // namespace entune
