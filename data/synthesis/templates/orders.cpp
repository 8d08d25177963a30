#include "data/synthesis/templates.h"

namespace entune {

const TemplateTexts& orders_templates() {
  static const TemplateTexts templates = {
      "Thank you for your purchase, {PERSON/first}! Order {ORDER_NUMBER} was placed on {DATE_TIME} and will ship "
      "to:\n{STREET_ADDRESS}",
      "Where is my parcel? {ORDER_NUMBER} has said 'out for delivery' since {DATE_TIME} and the courier's site shows "
      "nothing new.",
      "PACKING SLIP\nOrder: {ORDER_NUMBER}\nShip to: {PERSON/full}\n1 x [kettle|yoga mat|desk lamp], {n1} x gift wrap",
      "Refund of {amount} for order {ORDER_NUMBER} has been issued to {CREDIT_CARD}. Allow five to seven business days "
      "for it to post.",
      "Please combine {ORDER_NUMBER} with {ORDER_NUMBER}; both go to the same loading dock and {PERSON} can only "
      "receive once a day.",
      "Dear seller, the [mug|vase|picture frame] arrived in pieces. Photos attached. Order {ORDER_NUMBER}, buyer "
      "{PERSON/full}. I would prefer a replacement over a refund.",
      "Invoice for {ORGANIZATION}: {n2} ergonomic keyboards at {amount} each. Quote purchase order {ORDER_NUMBER} on "
      "all correspondence. Net thirty.",
      "Backorder update: the walnut bookshelf on {ORDER_NUMBER} is now expected {DATE_TIME}. If you'd rather cancel, "
      "answer this e-mail or ring {PHONE_NUMBER}.",
      "Curbside pickup: park in spot {n1}, text your name to {PHONE_NUMBER}, and show {ORDER_NUMBER} to the associate "
      "who brings the bags.",
      "Address correction needed. The label says {STREET_ADDRESS}, but the carrier reports no such house. Can {PERSON} "
      "confirm the unit?",
      "Gift message for order {ORDER_NUMBER}: \"Happy birthday, {PERSON/first}! {AGE} looks good on you. Love from all "
      "of us.\"",
      "Fraud review hold - billing name {PERSON/full} does not match the cardholder on {CREDIT_CARD}; buyer connected "
      "through {IP_ADDRESS}.",
      "Return label created. Drop the box at any {ORGANIZATION/shop} counter before {DATE_TIME}; write {ORDER_NUMBER} "
      "on the outside in large letters.",
      "Subscription box skipped for one month at the request of {EMAIL_ADDRESS}. Next charge of {amount} falls on "
      "{DATE_TIME}.",
      "Custom engraving on {ORDER_NUMBER} should read \"{PERSON/first}\" on the front, nothing on the back, script "
      "font, {n2} mm high.",
      "Wholesale account opened for {ORGANIZATION/shop}. Buyer: {PERSON}. Ship complete only. Freight collect to "
      "{STREET_ADDRESS}.",
      "The florist needs a daytime number for the recipient; I gave her {PHONE_NUMBER}. Lilies, not roses, and the "
      "card is signed {PERSON/first}.",
      "Order status by SMS: {ORDER_NUMBER} packed {DATE_TIME/time}, handed to carrier, tracking will follow. Text HELP "
      "for help.",
      "We were unable to charge {CREDIT_CARD} for your renewal. Update the payment method, or the order {ORDER_NUMBER} "
      "will be cancelled automatically.",
      "Three pallets short on {ORDER_NUMBER}. Driver's copy signed by {PERSON/last} at {DATE_TIME/time} shows seven; "
      "the warehouse counted four.",
      "Kitchen ticket - {PERSON/first}, party of {n1}, no onions, extra hot sauce, deliver to {STREET_ADDRESS/line}, "
      "ring twice because the dog is asleep.",
      "Pre-order guaranteed: your [game console|camera|e-reader] is reserved as {ORDER_NUMBER}. We charge "
      "{CREDIT_CARD} only when it leaves the warehouse.",
      "Per your request we changed the recipient of {ORDER_NUMBER:1} from {PERSON} to {PERSON}. A new confirmation of "
      "{ORDER_NUMBER:1} will reach {EMAIL_ADDRESS}.",
      "Installation of the dishwasher is set for {DATE_TIME}, window {DATE_TIME/time} to {DATE_TIME/time}. Someone "
      "over eighteen must be at {STREET_ADDRESS}.",
      "Marketplace message: is the bike still available? I could come by {STREET_ADDRESS/line} tonight with cash. My "
      "number is {PHONE_NUMBER}, ask for {PERSON/first}.",
      "Customs needs a contact for shipment {ORDER_NUMBER}: importer {ORGANIZATION}, declared value {amount}, e-mail "
      "{EMAIL_ADDRESS}.",
      "Chargeback received: cardholder {PERSON/full} disputes {ORDER_NUMBER}, claims never delivered. Proof of "
      "delivery, signed {DATE_TIME/full}, uploaded for the bank.",
      "Rush job! {n3} printed T-shirts for the {ORGANIZATION} fun run, proofs to {EMAIL_ADDRESS}, job ticket "
      "{ORDER_NUMBER}, pick up before {DATE_TIME/time}.",
  };
  return templates;
}

}  // namespace entune
