#include "data/synthesis/templates.h"

namespace entune {

const TemplateTexts& travel_templates() {
  static const TemplateTexts templates = {
      "Your flight departs {DATE_TIME/full} from gate {n2}. Passenger: {PERSON/full}. Boarding closes twenty minutes "
      "before departure, no exceptions.",
      "Reservation for {PERSON/last}, {n1} nights from {DATE_TIME}, late arrival guaranteed with {CREDIT_CARD}. King "
      "bed, quiet side, no feathers.",
      "Can we get a crib in the room? Our daughter is {AGE/child} and my wife, {PERSON/first}, booked through "
      "{ORGANIZATION} without mentioning it.",
      "Rental agreement: driver {PERSON/full}, licence {US_DRIVER_LICENSE}, additional driver declined, fuel full to "
      "full, return by {DATE_TIME/time} on {DATE_TIME}.",
      "Lost luggage report: black hard-shell case, red ribbon. Deliver to {STREET_ADDRESS} when found, and phone "
      "{PHONE_NUMBER} beforehand.",
      "Group manifest\n1. {PERSON/full}, {AGE}\n2. {PERSON/full}, {AGE}\n3. {PERSON/full}, {AGE/teen}\nVegetarian "
      "meals: two",
      "The shuttle collects guests of {ORGANIZATION/hotel} every half hour from {DATE_TIME/time} on; late flights "
      "should ring {PHONE_NUMBER} for a taxi.",
      "Trip cancelled due to illness, doctor's note from {ORGANIZATION/clinic} attached. Please refund {amount} to "
      "{BANK_ACCOUNT/iban}; policyholder {PERSON/full}.",
      "Left my passport in the safe of room {n3}! Could housekeeping look? I checked out on {DATE_TIME}. You can mail "
      "it to {STREET_ADDRESS}. {PERSON}",
      "Itinerary change: {PERSON} now returns {DATE_TIME} at {DATE_TIME/time} instead of a day earlier, seat {n2}C, "
      "same fare class.",
      "We hosted {PERSON/first} and {PERSON/first} for a long weekend. Spotless guests, watered the plants, and even "
      "left homemade jam. Would host again!",
      "Visa appointment letter. Applicant: {PERSON/full}, born {DATE_TIME/birth}. Interview: {DATE_TIME/full}. Bring "
      "this page, one photograph and the fee of {amount}.",
      "Frequent flyer desk: miles from partner {ORGANIZATION} take six weeks. Questions with your ticket copy to "
      "{EMAIL_ADDRESS}.",
      "Cruise medical form: {PERSON/full}, {AGE}, takes [blood thinners|insulin], mobility scooter on board, emergency "
      "contact ashore {PHONE_NUMBER}.",
      "No-show charge explained: we held a suite for Ms. {PERSON/last} until {DATE_TIME/time}, tried {PHONE_NUMBER} "
      "twice, then charged {CREDIT_CARD} for one night.",
      "Campsite {n2}, checked in by ranger {PERSON/last}. Vehicle towing a trailer. Fire ban in force since "
      "{DATE_TIME}; quiet hours posted at the gate.",
      "The wifi log-in page at {ORGANIZATION/hotel} asks for an e-mail; I entered {EMAIL_ADDRESS}, and got "
      "{IP_ADDRESS}, but no page loads.",
      "Our guide {PERSON/first} spoke perfect English, knew every bird by its call, and refused a tip. Booked via "
      "{ORGANIZATION}, highly recommended.",
      "Border crossing delayed: the bus driver could not find the form on which {PERSON/full} had listed "
      "{STREET_ADDRESS} as first address in the country.",
      "House swap proposal: you take our flat at {STREET_ADDRESS/line} from {DATE_TIME} to {DATE_TIME}, we take your "
      "cabin, and the cats are included.",
      "Unaccompanied minor: {PERSON/full}, {AGE/child}. Handed over by grandmother {PERSON/full}; to be met by "
      "{PERSON/full}, who will show licence {US_DRIVER_LICENSE}.",
      "Speeding fine forwarded by the rental company: {amount} plus handling, debited from {CREDIT_CARD} on "
      "{DATE_TIME}.",
      "Dear {PERSON}, the ferry of {DATE_TIME/time} is full. We put you, your camper and {n1} bicycles on the next "
      "sailing at no charge.",
      "Tour escrow: transfer the deposit to {BANK_ACCOUNT} by {DATE_TIME}, otherwise {ORGANIZATION} releases the seats "
      "to the waiting list.",
      "wheelchair assistance pls for my dad {PERSON/full}, he's {AGE}, speaks only Polish, and my cell is "
      "{PHONE_NUMBER} if the crew cant find me",
      "Travel insurance claim {n6}: camera stolen on the night train, police report attached, receipt from "
      "{ORGANIZATION/shop} over {amount}, claimant {PERSON}.",
      "Check-out folio e-mailed to {EMAIL_ADDRESS}. Minibar {amount}, parking {amount}. We hope to welcome the "
      "{PERSON/last} family again.",
  };
  return templates;
}

}  // namespace entune
