#include "data/synthesis/words.h"

namespace entune {

const WordList& first_names() {
  static const WordList words = {
      "James",      "Mary",     "Robert",  "Patricia", "John",     "Jennifer", "Michael",    "Linda",    "David",
      "Elizabeth",  "William",  "Barbara", "Richard",  "Susan",    "Joseph",   "Jessica",    "Thomas",   "Sarah",
      "Charles",    "Karen",    "Daniel",  "Nancy",    "Matthew",  "Lisa",     "Anthony",    "Margaret", "Mark",
      "Sandra",     "Paul",     "Ashley",  "Steven",   "Emily",    "Andrew",   "Donna",      "Joshua",   "Michelle",
      "Kenneth",    "Carol",    "Kevin",   "Amanda",   "Brian",    "Melissa",  "George",     "Deborah",  "Tyrone",
      "Latoya",     "Darnell",  "Keisha",  "Jamal",    "Imani",    "José",     "María",      "Luis",     "Guadalupe",
      "Andrés",     "Lucía",    "Raúl",    "Inés",     "Mateo",    "Ximena",   "Zoë",        "Chloé",    "René",
      "Anaïs",      "François", "Hélène",  "Jürgen",   "Käthe",    "Björn",    "Åsa",        "Søren",    "Łukasz",
      "Małgorzata", "Zofia",    "Tomáš",   "Jiří",     "Željko",   "Ștefan",   "Ivana",      "Dmitri",   "Oksana",
      "Yuki",       "Haruto",   "Mei",     "Wei",      "Xiaoming", "Jin-woo",  "Soo-min",    "Thuy",     "Minh",
      "Priya",      "Arjun",    "Ananya",  "Rajesh",   "Fatima",   "Omar",     "Layla",      "Hassan",   "Yusuf",
      "Amina",      "Chidi",    "Ngozi",   "Kwame",    "Abena",    "Tariq",    "Noor",       "Ezra",     "Miriam",
      "Tamsin",     "Alasdair", "Siobhán", "Niamh",    "Callum",   "Rhys",     "Anne-Marie", "Jean-Luc", "Mary Jo",
      "Leilani",    "Kai",      "Winona"};
  return words;
}

const WordList& last_names() {
  static const WordList words = {
      "Smith",     "Johnson",      "Williams",   "Brown",      "Jones",        "Garcia",    "Miller",
      "Davis",     "Rodriguez",    "Martinez",   "Hernandez",  "Lopez",        "Wilson",    "Anderson",
      "Taylor",    "Moore",        "Jackson",    "Thompson",   "White",        "Harris",    "Clark",
      "Lewis",     "Robinson",     "Walker",     "Young",      "Hall",         "King",      "Wright",
      "Scott",     "Hill",         "Green",      "Adams",      "Baker",        "Nelson",    "Carter",
      "Mitchell",  "Campbell",     "Price",      "Bell",       "Stone",        "Rivers",    "Field",
      "Banks",     "Cook",         "Day",        "Washington", "Freeman",      "Booker",    "Núñez",
      "Peña",      "García",       "Fernández",  "Ibáñez",     "Ortiz",        "Castañeda", "da Silva",
      "Gonçalves", "de la Cruz",   "Lefèvre",    "Dubois",     "Moreau",       "Müller",    "Schäfer",
      "Weiß",      "Vogel",        "van Dijk",   "Jansen",     "Lindström",    "Åkesson",   "Nørgaard",
      "Hansen",    "Kowalski",     "Wójcik",     "Dąbrowski",  "Novák",        "Dvořák",    "Horváth",
      "Petrović",  "Popescu",      "Ivanova",    "Shevchenko", "Papadopoulos", "Yıldız",    "Demir",
      "Haddad",    "Nasser",       "Rahman",     "Hussain",    "Khan",         "Patel",     "Sharma",
      "Gupta",     "Iyer",         "Singh",      "Tanaka",     "Suzuki",       "Watanabe",  "Kim",
      "Park",      "Nguyen",       "Tran",       "Phạm",       "Chen",         "Wang",      "Liu",
      "Zhao",      "Okafor",       "Adeyemi",    "Mensah",     "Diallo",       "Abebe",     "Kamau",
      "O'Brien",   "O'Connell",    "McAllister", "MacLeod",    "Fitzgerald",   "D'Angelo",  "Rossi",
      "Esposito",  "Cohen",        "Goldberg",   "Ben-David",  "Smith-Jones",  "Lee-Park",  "Kealoha",
      "Begay",     "Whitefeather", "Ashworth",   "Pemberton",  "Hollis",       "Quigley",   "Thistlewood",
      "Beaumont",  "Yazzie"};
  return words;
}

const WordList& street_names() {
  static const WordList words = {"Maple",        "Oak",          "Willow Creek",
                                 "Cedar",        "Elm",          "Pine Ridge",
                                 "Washington",   "Lincoln",      "Jefferson",
                                 "Park",         "Main",         "Church",
                                 "Mill",         "River",        "Lakeview",
                                 "Sunset",       "Highland",     "Orchard",
                                 "Meadow",       "Spring",       "Chestnut",
                                 "Walnut",       "Birch Hollow", "Franklin",
                                 "Harbor",       "Canal",        "Railroad",
                                 "Prospect",     "Valley View",  "Stony Brook",
                                 "Fox Run",      "Quail Hill",   "Martin Luther King",
                                 "Old Post",     "County Line",  "Magnolia",
                                 "Cypress",      "Juniper",      "Sycamore",
                                 "Dogwood",      "El Camino",    "La Paloma",
                                 "San Pedro",    "Santa Rosa",   "N 5th",
                                 "W 42nd",       "E 117th",      "Third",
                                 "Twelfth",      "S Central",    "Eagle Point",
                                 "Copper Kettle"};
  return words;
}

const WordList& street_suffixes() {
  static const WordList words = {"St",   "Street",  "Ave",  "Avenue", "Rd",    "Road",   "Blvd",
                                 "Lane", "Ln",      "Dr",   "Drive",  "Ct",    "Court",  "Way",
                                 "Pl",   "Terrace", "Pkwy", "Circle", "Trail", "Highway"};
  return words;
}

const std::vector<City>& cities() {
  static const std::vector<City> all = {
      {"Springfield", "IL", "627"}, {"Portland", "OR", "972"},    {"Austin", "TX", "787"},
      {"Fresno", "CA", "937"},      {"Tucson", "AZ", "857"},      {"Albany", "NY", "122"},
      {"Worcester", "MA", "016"},   {"Erie", "PA", "165"},        {"Toledo", "OH", "436"},
      {"Lansing", "MI", "489"},     {"Madison", "WI", "537"},     {"Duluth", "MN", "558"},
      {"Des Moines", "IA", "503"},  {"Omaha", "NE", "681"},       {"Wichita", "KS", "672"},
      {"Tulsa", "OK", "741"},       {"Little Rock", "AR", "722"}, {"Baton Rouge", "LA", "708"},
      {"Mobile", "AL", "366"},      {"Macon", "GA", "312"},       {"Tampa", "FL", "336"},
      {"Charleston", "SC", "294"},  {"Raleigh", "NC", "276"},     {"Roanoke", "VA", "240"},
      {"Dover", "DE", "199"},       {"Trenton", "NJ", "086"},     {"New Haven", "CT", "065"},
      {"Burlington", "VT", "054"},  {"Bangor", "ME", "044"},      {"Nashua", "NH", "030"},
      {"Louisville", "KY", "402"},  {"Knoxville", "TN", "379"},   {"St. Louis", "MO", "631"},
      {"Fort Wayne", "IN", "468"},  {"Boise", "ID", "837"},       {"Reno", "NV", "895"},
      {"Provo", "UT", "846"},       {"Spokane", "WA", "992"},     {"Anchorage", "AK", "995"},
      {"Hilo", "HI", "967"},        {"Santa Fe", "NM", "875"},    {"Boulder", "CO", "803"},
      {"Cheyenne", "WY", "820"},    {"Billings", "MT", "591"},    {"Fargo", "ND", "581"},
      {"Sioux Falls", "SD", "571"}, {"Jackson", "MS", "392"},     {"Cañon City", "CO", "812"}};
  return all;
}

const WordList& firm_words() {
  static const WordList words = {"Northgate",  "Blue Heron", "Summit",      "Ironwood", "Lakeshore",  "Redbrick",
                                 "Silverline", "Harborview", "Brightwell",  "Granite",  "Evergreen",  "Pinnacle",
                                 "Cobalt",     "Fairmont",   "Westbrook",   "Ashford",  "Clearwater", "Meridian",
                                 "Oakhaven",   "Tidewater",  "Copperfield", "Larkspur", "Keystone",   "Millbrook",
                                 "Sandhill",   "Prairie",    "Foxglove",    "Monarch",  "Juniper",    "Quarry Lane",
                                 "Stellar",    "Windrose",   "Marigold",    "Old Mill", "Crescent"};
  return words;
}

const WordList& trades() {
  static const WordList words = {"Logistics",  "Plumbing",   "Software", "Roofing",     "Freight",      "Consulting",
                                 "Insurance",  "Electric",   "Foods",    "Analytics",   "Construction", "Media",
                                 "Industries", "Properties", "Motors",   "Engineering", "Staffing",     "Energy"};
  return words;
}

const WordList& months() {
  static const WordList words = {"January", "February", "March",     "April",   "May",      "June",
                                 "July",    "August",   "September", "October", "November", "December"};
  return words;
}

}  // namespace entune
