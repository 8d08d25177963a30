#include "data/synthesis/templates.h"

namespace entune {

const TemplateTexts& support_templates() {
  static const TemplateTexts templates = {
      "Agent: May I have your full name?\nCustomer: {PERSON/full}.\nAgent: Thanks. And the best number to reach "
      "you?\nCustomer: {PHONE_NUMBER}, any time after {DATE_TIME/time}.",
      "I can't log in. My account e-mail is {EMAIL_ADDRESS} and the reset link never arrives. I've checked spam about "
      "{n1} times.",
      "hey its {PERSON/first} again, still no internet, modem blinks orange. you told me a tech would come {DATE_TIME} "
      "and nobody showed up!!",
      "Ticket {n5} escalated. Customer {PERSON} threatens to cancel unless the duplicate charge of {amount} on "
      "{CREDIT_CARD} is refunded today.",
      "To verify your identity, please confirm the last transaction and the address we have on file: {STREET_ADDRESS}.",
      "Our system blocked a sign-in attempt from {IP_ADDRESS} at {DATE_TIME/full}. If this was you, approve it in the "
      "app; otherwise change your password.",
      "Chat transferred from bot to {PERSON}. Summary: router firmware {version}, packet loss, user already "
      "power-cycled the [modem|switch|access point] twice.",
      "You're welcome, {PERSON/first}! A replacement [headset|charger|remote] goes out under {ORDER_NUMBER} and should "
      "arrive before the weekend.",
      "Could you please remove {EMAIL_ADDRESS:1} from the mailing list? I have unsubscribed three times and "
      "{EMAIL_ADDRESS:1} still gets your newsletter.",
      "Accessibility request: {PERSON}, who is deaf, asks that we never call {PHONE_NUMBER} and write to "
      "{EMAIL_ADDRESS} instead.",
      "Warranty claim received. Serial {n6}, purchased from {ORGANIZATION/shop} on {DATE_TIME}, fault: [cracked "
      "hinge|dead pixels|swollen battery].",
      "Customer says the installer from {ORGANIZATION} left muddy footprints and drilled through a water pipe. Wants a "
      "supervisor named {PERSON/last} to phone back.",
      "We merged your two profiles ({EMAIL_ADDRESS} and {EMAIL_ADDRESS}). From now on, sign in with the first one.",
      "Voicemail transcript: \"This is {PERSON/full}, I'm calling about the smart lock. It opened by itself at "
      "{DATE_TIME/time}. Call me, please, {PHONE_NUMBER}.\"",
      "Account closure confirmed for {PERSON}. Data will be erased within thirty days, except invoices that tax law "
      "obliges us to keep.",
      "Feedback score: {n1}/10. \"{PERSON/first} was patient and explained every step, but waiting forty minutes in "
      "the queue is not acceptable.\"",
      "Remote session started with machine at {IP_ADDRESS}; disabled conflicting antivirus, reinstalled printer driver "
      "{version}, test page OK. Closed by {PERSON}.",
      "I'm {AGE} and not good with computers. My grandson {PERSON/first} set up the tablet, and now the letters are so "
      "small that I can't read my mail.",
      "Name change: please update {PERSON/full} to {PERSON/full} after marriage. Certificate attached. Everything "
      "else, including {PHONE_NUMBER}, stays as it is.",
      "Hotspot plan upgraded. Your new number, {PHONE_NUMBER}, activates once the SIM is inserted; the old line "
      "{PHONE_NUMBER} is released at midnight.",
      "Is this chat secure? I don't want to type my card here ... fine, {CREDIT_CARD}, exp next year, name on the card "
      "is {PERSON/full}.",
      "Outage notice for customers around {STREET_ADDRESS/line}: a fibre cut is being repaired. Expected restoration: "
      "{DATE_TIME/full}.",
      "Please don't share your Social Security number in chat. I have masked the message in which you wrote {US_SSN} "
      "and flagged it for deletion.",
      "User {EMAIL_ADDRESS} hit the rate limit from three addresses, {IP_ADDRESS}, {IP_ADDRESS} and {IP_ADDRESS}, "
      "within a minute. Possible credential stuffing.",
      "Callback queue: position {n1}, caller {PERSON}, topic billing, language Spanish, preferred slot "
      "{DATE_TIME/time}.",
      "Loyalty points for {PERSON:1} are missing since the merger with {ORGANIZATION}. {PERSON:1} has receipts for "
      "{n1} stays and wants them credited.",
      "Thanks for contacting us about order {ORDER_NUMBER}. I see the [blender|lamp|office chair] was left with a "
      "neighbour; would you like a photo of the drop-off?",
      "Escalation path: first {PERSON}, then the duty manager at {PHONE_NUMBER}, and only then legal. Never promise "
      "compensation above {amount}.",
  };
  return templates;
}

}  // namespace entune
