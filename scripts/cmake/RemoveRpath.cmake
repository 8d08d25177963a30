# cmake -DFILE=PROGRAM -P RemoveRpath.cmake: takes the folders of the machine that built it out of a program, as an installation would.
file(RPATH_REMOVE FILE "${FILE}")
