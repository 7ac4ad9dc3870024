// Command holdfast-jepsen tortures real processes and says whether
// they kept their word, or holds them against others.
//
//	holdfast-jepsen kill --bin bin/holdfast
//
// starts three members, kills the leader ten times under load, and checks that
// each member still has every confirmed write and that their histories are one.
//
//	holdfast-jepsen powercut --bin bin/holdfast-faults
//	holdfast-jepsen disk-faults --bin bin/holdfast-faults
//
// cut the power under one member two hundred times and look for lost writes, and
// break its disk in each way of docs/disk-faults.md, which it writes.
//
//	holdfast-jepsen hostile --bin bin/holdfast
//
// attacks one member over the network in each way of docs/hostile.md, which it
// writes, and counts what is left of each attack.
//
//	holdfast-jepsen versus --bin bin/holdfast --against bin/etcd36
//
// holds Holdfast against etcd 3.6: a killed leader, an empty start, and a million
// keys in memory, at a restart and in a snapshot.
//
//	holdfast-jepsen floors --bin bin/holdfast --against etcd
//	holdfast-jepsen steady --bin bin/holdfast --for 5m
//
// hold its work under load against its floors beside etcd 3.4, and write to three
// members at full speed, whose leader must not change.
//
//	holdfast-jepsen curves --bin bin/holdfast
//
// measures how the cost of an operation grows with what the store holds and
// serves, and says where it grows too much.
//
//	holdfast-jepsen soak --bin bin/holdfast --for 1h
//
// lets three members work at a steady load for long, stops and kills them
// meanwhile, and fails if anything that they hold grows. It draws docs/soak.svg.
//
// What it found is on stdout, its steps are on stderr. It exits with 0 if every
// promise was kept and every ratio held, 1 if one did not or the run could not be
// carried out, and 2 if it was called wrongly.
//
// Flags and wiring are here; the work is done in jepsen/torture, jepsen/powercut,
// jepsen/diskfault, jepsen/hostile, jepsen/versus, jepsen/floors, jepsen/curves and
// jepsen/soak.
package main
