#include "data/synthesis/templates.h"

namespace entune {

const TemplateTexts& records_templates() {
  static const TemplateTexts templates = {
      R"({"customer": "{PERSON/full}", "email": "{EMAIL_ADDRESS}", "order": "{ORDER_NUMBER}", "items": {n1}, "paid": true})",
      "{DATE_TIME/full} WARN sshd: failed password for invalid user admin from {IP_ADDRESS} port {n5}",
      "id;name;phone;city_ok\n{n3};{PERSON/full};{PHONE_NUMBER};1\n{n3};{PERSON/full};{PHONE_NUMBER};0",
      R"({"ts": "{DATE_TIME/full}", "level": "info", "msg": "login ok", "ip": "{IP_ADDRESS}", "user": "{EMAIL_ADDRESS}"})",
      "INSERT INTO payments (holder, pan, cents) VALUES ('{PERSON/full}', '{CREDIT_CARD}', {n5});",
      "GET /api/v2/users?email={EMAIL_ADDRESS} HTTP/1.1 200 {n4} bytes client={IP_ADDRESS}",
      "commit by {PERSON/full} ({EMAIL_ADDRESS}): fix off-by-one in paging, bump to {version}, thanks to "
      "{PERSON/first} for the report",
      "firewall: dropped {n3} packets, src {IP_ADDRESS}, dst {IP_ADDRESS}, rule {n2}, interface eth{n1}; on-call "
      "engineer {PERSON} notified",
      "mrn,dob,sex,ward\n{MEDICAL_RECORD_NUMBER},{DATE_TIME/birth},F,{n2}\n{MEDICAL_RECORD_NUMBER},{DATE_TIME/"
      "birth},M,{n2}",
      "<record><ssn>{US_SSN}</ssn><dob>{DATE_TIME/birth}</dob><status>active</status></record>",
      "pg_dump restored on {DATE_TIME}; row counts match except table contacts, where {EMAIL_ADDRESS} appears twice "
      "and one street is null.",
      "The crash dump contains heap strings such as {CREDIT_CARD} and {PERSON/full}; scrub it before you attach it to "
      "ticket {n5}.",
      "DEBUG payload={card={CREDIT_CARD}, amount={amount}, merchant={ORGANIZATION/shop}} retry={n1}",
      "Server migration tonight. Old host {IP_ADDRESS:1} stays up read-only; {PERSON} will switch DNS at "
      "{DATE_TIME/time}. Do not deploy to {IP_ADDRESS:1} afterwards.",
      "vcard: FN={PERSON/full} TEL={PHONE_NUMBER} ORG={ORGANIZATION} NOTE=met at conference, wants demo of release "
      "{version}",
      "batch {n4} rejected: line {n2} routing {BANK_ACCOUNT/routing} fails checksum lookup, line {n2} account "
      "{BANK_ACCOUNT/account} unknown, others posted",
      R"({"shipment": "{ORDER_NUMBER}", "to": {"name": "{PERSON/full}", "line1": "{STREET_ADDRESS/line}"}, "weight_g": {n4}})",
      "auth.log excerpt: session opened for {PERSON/first} by uid 0; lease {IP_ADDRESS} renewed; clock skew {n1} ms; "
      "session closed {DATE_TIME/time}",
      "ERROR 422 validating field ssn: got {US_SSN}, expected masked value. Trace id {n6}. Reported by {ORGANIZATION} "
      "integration.",
      "dict(license='{US_DRIVER_LICENSE}', points={n1}, renewed='{DATE_TIME}')  # sample row, taken from production by "
      "accident, ask {PERSON}",
      "name | iban | net\n{PERSON/full} | {BANK_ACCOUNT/iban} | {amount}\n{PERSON/full} | {BANK_ACCOUNT/iban} | "
      "{amount}",
      "Monitoring page: {ORGANIZATION} gateway answers {n3} ms slower since {DATE_TIME/full}; traceroute stops behind "
      "{IP_ADDRESS}.",
      "HL7 segment decoded: patient {PERSON/inverted}, identifier {MEDICAL_RECORD_NUMBER}, admitted {DATE_TIME/full}, "
      "attending {PERSON/last}, bed {n2}B.",
      R"(user_agent="Mozilla/5.0" referrer="-" remote={IP_ADDRESS} form[email]={EMAIL_ADDRESS} form[age]={AGE})",
      "ledger> {DATE_TIME} * \"{ORGANIZATION/shop}\" expenses:office {amount} ; paid by {PERSON/first} with "
      "{CREDIT_CARD}",
      "Kubernetes event: pod billing-{n4} evicted from node {IP_ADDRESS}; its last log line was \"invoice "
      "{ORDER_NUMBER} for {EMAIL_ADDRESS} sent\".",
      "pharmacy_export.csv row {n3}: {PRESCRIPTION_NUMBER},{MEDICAL_RECORD_NUMBER},[lorazepam|zolpidem] 1mg,qty "
      "{n2},{DATE_TIME}",
      "csv header was rx_no,phone,ready_at; sample: {PRESCRIPTION_NUMBER},{PHONE_NUMBER},{DATE_TIME/full}. Can you "
      "anonymise this before sharing?",
  };
  return templates;
}

}  // namespace entune
