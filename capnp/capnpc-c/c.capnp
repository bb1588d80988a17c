# SPDX-License-Identifier: MIT
# Annotations that steer capnpc-c. Import as "/c.capnp" with -I set to the folder of this file.
@0xb729a2553949568e;

annotation prefix @0xd5b3b8c1c5f44c01 (file) :Text;
# The prefix of every C name generated from this file, instead of the file's own name.

annotation name @0xd5b3b8c1c5f44c02 (*) :Text;
# The C name of one declaration, instead of the one made from its schema name. It is the way out
# when the generator refuses a file because two names fall together or one is a C keyword.

annotation methodDocs @0xd5b3b8c1c5f44c03 (file) :List(Text);
# Lines that the comment of every method of this file must contain (each entry is the beginning of
# a line). The generator refuses the file otherwise, naming the method.

annotation interfaceDocs @0xd5b3b8c1c5f44c04 (file) :List(Text);
# The same for the comment of every interface of this file.
