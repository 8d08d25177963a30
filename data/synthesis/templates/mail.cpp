#include "data/synthesis/templates.h"

namespace entune {

const TemplateTexts& mail_templates() {
  static const TemplateTexts templates = {
      "Hi {PERSON/first},\n\nattached is the draft agenda. Could you send me your slides before "
      "{DATE_TIME/time}?\n\nBest,\n{PERSON/first}",
      "From: {EMAIL_ADDRESS}\nTo: {EMAIL_ADDRESS}\nSubject: keys\n\nThe spare keys are with {PERSON} on the second "
      "floor.",
      "Great meeting you at the trade fair! My direct line is {PHONE_NUMBER}, and {PERSON} in sales can prepare "
      "samples for {ORGANIZATION} any time.",
      "Forwarding this to {PERSON}, who owns the budget. {PERSON/first}, can you approve {amount} for the chairs "
      "before the quarter ends?",
      "--\n{PERSON/full}\nRegional Coordinator, {ORGANIZATION}\n{STREET_ADDRESS}\nT {PHONE_NUMBER} | {EMAIL_ADDRESS}",
      "Out of office: I am away until {DATE_TIME}. For urgent matters write to {EMAIL_ADDRESS} or ring {PERSON} at "
      "extension {n3}.",
      "Reminder: {PERSON}'s retirement party is on {DATE_TIME} at {STREET_ADDRESS}. Bring a dish; parking behind the "
      "church.",
      "Did anybody from {ORGANIZATION} answer? I wrote to {EMAIL_ADDRESS} twice, no bounce, no reply. Perhaps try the "
      "phone.",
      "Sorry for the late reply. I was with a customer, {PERSON}, until {DATE_TIME/time}, then the train broke down, "
      "and then my battery died.",
      "Please find enclosed our quotation {ORDER_NUMBER}, valid until {DATE_TIME}. Payment terms and delivery as "
      "discussed with Mr. {PERSON/last}.",
      "Dear neighbours, somebody keeps parking in front of {STREET_ADDRESS/line}. Next time I will have the car towed. "
      "Regards, {PERSON}",
      "I spoke with {PERSON:1} about the leak. {PERSON:1} says the plumber can come {DATE_TIME}, so leave a key under "
      "the mat.",
      "Subject: Re: Re: Fwd: invoice {ORDER_NUMBER}\nStill unpaid!! Second reminder went to {EMAIL_ADDRESS}. Next step "
      "is collections.",
      "Can you introduce me to {PERSON} over at {ORGANIZATION}? We were at college together, but I lost touch after "
      "the move.",
      "The zoom link does not work, so let's use the phone bridge: {PHONE_NUMBER}, code {n6}. {PERSON/first} will "
      "record for those who cannot join.",
      "Mom, the nurse said visiting ends at {DATE_TIME/time}. I'll drive over from {STREET_ADDRESS/line} straight "
      "after work and bring Grandpa's glasses. Love, {PERSON/first}",
      "Dear Professor {PERSON/last}, I am writing to ask for an extension of the lab report due {DATE_TIME}. My "
      "student mail is {EMAIL_ADDRESS}.",
      "Contract countersigned by {ORGANIZATION} today. Scans are in the shared folder; originals go by courier to "
      "{PERSON/full}, {STREET_ADDRESS}.",
      "Just a heads-up that our office moves. From {DATE_TIME} you will find us at {STREET_ADDRESS}; phones and e-mail "
      "stay the same.",
      "Per our call, wire details as follows: beneficiary {ORGANIZATION}, IBAN {BANK_ACCOUNT/iban}. I'll confirm them "
      "by voice; do not trust changes sent by e-mail.",
      "thx {PERSON/first}! ping me on {PHONE_NUMBER} when you land, i'm {n1} min away. don't take the toll road, it's "
      "jammed",
      "Now you are {AGE}, {PERSON/first}! Sorry that the card is late, I had the old address. Hope that {DATE_TIME} "
      "was a day to remember.",
      "Volunteers needed at {ORGANIZATION/charity}: sorting from {DATE_TIME/time} to {DATE_TIME/time}. Sign up with "
      "{PERSON} ({EMAIL_ADDRESS}).",
      "The reporter wants a quote by {DATE_TIME/time}. Route everything through {PERSON/full}, spokesperson; nobody "
      "else at {ORGANIZATION} talks to the press.",
      "Unsubscribe confirmation: {EMAIL_ADDRESS} has been taken off all lists except account notices. It may take two "
      "days to take effect.",
      "Hello {PERSON}, a quick question on clause {n1}: does the deposit of {amount} count toward the first payment, "
      "or is it held until completion?",
      "Attached: W-9 with the SSN {US_SSN} of our freelancer {PERSON/full}. Please store it in the encrypted folder "
      "and delete this e-mail.",
      "Kindly note that {PERSON} has moved out; letters sent to {STREET_ADDRESS} come back. The new mailbox is "
      "{EMAIL_ADDRESS}.",
      "Hi team, wrong attachment! Please delete the scan of {MEDICAL_RECORD_NUMBER} that went to {EMAIL_ADDRESS} by "
      "mistake and confirm.",
  };
  return templates;
}

}  // namespace entune
