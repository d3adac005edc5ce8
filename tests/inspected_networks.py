"""Networks that tests of `inspect` and `init` look at: each answers, or is built, in another way than most."""

VARIANTS = """

class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = build()

    def forward(self, x):
        return self.inner(x)


class LogSoftmax(Wrapped):
    def forward(self, x):
        return self.inner(x).log_softmax(1)


class OneLogit(Wrapped):
    def forward(self, x):
        return self.inner(x)[:, :1] - self.inner(x)[:, 2:]


class Parts(Wrapped):
    def forward(self, x):
        return {"features": x, "logits": self.inner(x)}


class Sorting(Wrapped):
    def forward(self, x):
        inner = self.inner
        return inner.fc(torch.cumsum(inner.relu2(inner.conv2(inner.relu1(inner.conv1(x)))), 1).mean((2, 3)))


class Sorted(Wrapped):
    def forward(self, x):
        inner = self.inner
        return inner.fc(inner.relu2(inner.conv2(torch.cumsum(inner.relu1(inner.conv1(x)), 1))).mean((2, 3)))


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(4 * 28 * 28, 10)

    def forward(self, x):
        return self.fc(self.conv(x).relu().flatten(1))


class Maps(Wrapped):
    def forward(self, x):
        return self.inner.conv2(self.inner.relu1(self.inner.conv1(x)))
"""
