"""ariadne-codegen: a client with a method for each operation and a pydantic model for each answer, generated from what the
server says of its schema. It sends enums and inputs as models, and a subscription on a socket of its own."""

import asyncio
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from shop import API, SOCKET, product, receive

HERE = Path(__file__).parent

#: How long a test waits for something that must come, in seconds.
PATIENCE = 20

CONFIG = f"""[tool.ariadne-codegen]
remote_schema_url = "{API}"
queries_path = "{HERE}/ariadne"
target_package_name = "onhand_client"
[tool.ariadne-codegen.scalars.DateTime]
type = "datetime.datetime"
[tool.ariadne-codegen.scalars.Long]
type = "int"
"""


class Generated(unittest.IsolatedAsyncioTestCase):
    """The generated client."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        Path(folder.name, "config.toml").write_text(CONFIG)
        run = [sys.executable, "-m", "ariadne_codegen", "--config", "config.toml"]
        # It calls ruff by its name.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        env = {**os.environ, "PATH": path}
        subprocess.run(run, check=True, cwd=folder.name, env=env, stdout=subprocess.DEVNULL)
        sys.path.insert(0, folder.name)
        import onhand_client

        cls.made = onhand_client

    async def test_queries_with_enums_scalars_and_fragments(self):
        product_id, sku = product(5)
        async with self.made.Client(API) as client:
            read = await client.read_shelf(search=sku, availability=[self.made.Availability.IN_STOCK])
            (shown,) = read.products.nodes
            self.assertEqual((shown.id, shown.price.amount), (product_id, 100))
            self.assertIs(shown.status, self.made.ProductStatus.ACTIVE)
            self.assertEqual(shown.created_at.utcoffset().total_seconds(), 0)
            node = (await client.read_node(product_id)).node
            self.assertEqual((node.typename__, node.sku), ("Product", sku))

    async def test_a_mutation_and_its_refusal(self):
        product_id, _ = product(5)
        made = self.made
        async with made.Client(API) as client:
            for quantity, expected in ((2, []), (0, [made.UserErrorCode.INVALID_QUANTITY])):
                change = made.StockChangeInput(
                    product_id=product_id, action=made.StockAction.INCREMENT, quantity=quantity
                )
                receipt = made.AdjustStockInput(changes=[change], reason=made.StockReason.RECEIVED)
                adjusted = await client.adjust(receipt)
                self.assertEqual([one.code for one in adjusted.adjust_stock.user_errors], expected)

    async def test_errors_have_their_codes(self):
        async with self.made.Client(API) as client:
            with self.assertRaises(self.made.GraphQLClientGraphQLMultiError) as caught:
                await client.read_node("x")
            self.assertEqual([one.extensions["code"] for one in caught.exception.errors], ["BAD_ID"])

    async def test_a_subscription_is_sent_the_present_state_and_then_each_newer_one(self):
        product_id, _ = product(5)
        client = self.made.Client(API, ws_url=SOCKET)
        async with asyncio.timeout(PATIENCE), client:
            states = client.follow_stock([product_id])
            self.assertEqual((await anext(states)).stock_changed.available, 5)
            await asyncio.to_thread(receive, product_id, 2)
            self.assertEqual((await anext(states)).stock_changed.available, 7)
            await states.aclose()

    async def test_an_error_of_a_subscription_has_its_code(self):
        client = self.made.Client(API, ws_url=SOCKET)
        async with asyncio.timeout(PATIENCE), client:
            with self.assertRaises(self.made.GraphQLClientGraphQLMultiError) as caught:
                await anext(client.follow_stock(None))
            self.assertEqual([one.extensions["code"] for one in caught.exception.errors], ["BAD_USER_INPUT"])
