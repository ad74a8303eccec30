package live

import "sync"

// maxIdle is how many goroutines of workers wait for work.
const maxIdle = 64

// workers call a function in goroutines that are reused, because the stack of a new goroutine has to grow again. While
// all of them are busy, and before start and after stop, each call has a new one.
type workers[T any] struct {
	call    func(T)
	work    chan T
	stopped chan struct{}
	idle    sync.WaitGroup
}

func newWorkers[T any](call func(T)) *workers[T] {
	return &workers[T]{call: call, work: make(chan T), stopped: make(chan struct{})}
}

// start starts the goroutines.
func (w *workers[T]) start() {
	for range maxIdle {
		w.idle.Go(func() {
			for {
				select {
				case x := <-w.work:
					w.call(x)
				case <-w.stopped:
					return
				}
			}
		})
	}
}

// stop ends the goroutines that start started, and returns once they have.
func (w *workers[T]) stop() {
	close(w.stopped)
	w.idle.Wait()
}

// do has a goroutine call the function with x. It does not block.
func (w *workers[T]) do(x T) {
	select {
	case w.work <- x:
	default:
		go w.call(x)
	}
}
