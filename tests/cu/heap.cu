// malloc and free inside a kernel: a linked list a thread.
// launch: 2 64
// arg: out int 128 zero
struct node { node *next; int value; };
__global__ void k(int *o)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x, s = 0;
    node *head = 0;
    for (int j = 0; j < i % 7; j++) {
        node *n = (node *) malloc(sizeof(node));
        n->next = head;
        n->value = i * j;
        head = n;
    }
    while (head) {
        node *n = head;
        s += n->value;
        head = n->next;
        free(n);
    }
    o[i] = s;
}
