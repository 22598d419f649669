package main

import (
	"runtime/debug"
	"sync"
)

// Loading makes much short-lived garbage, and time counts; afterwards memory counts.
const (
	loadingGCPercent = 400
	restingGCPercent = 50
)

var busy struct {
	sync.Mutex
	loads int
}

// beginLoad trades memory for speed until endLoad.
func beginLoad() {
	busy.Lock()
	defer busy.Unlock()
	busy.loads++
	debug.SetGCPercent(loadingGCPercent)
}

// endLoad gives the memory back after the last load.
func endLoad() {
	busy.Lock()
	defer busy.Unlock()
	busy.loads--
	if busy.loads == 0 {
		debug.SetGCPercent(restingGCPercent)
		debug.FreeOSMemory()
	}
}

// giveBack gives back what other work has freed, unless the end of a load will.
func giveBack() {
	busy.Lock()
	defer busy.Unlock()
	if busy.loads == 0 {
		debug.FreeOSMemory()
	}
}
