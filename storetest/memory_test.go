package storetest_test

import "testing"

func TestMemoryStoreOfTheExampleKeepsTheContract(t *testing.T) { testMemoryStore(t) }
